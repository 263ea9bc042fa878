// Who runs, and in which cases.
import { CASES } from './cases.mjs';

/**
 * @typedef {'tenantry' | 'peer' | 'usual'} Candidate
 */

/** In the order of the report. */
export const TITLES = {
  tenantry: 'Tenantry',
  peer: 'Fastify + pg',
  usual: 'usual stack',
};

export const CANDIDATES = Object.keys(TITLES);

/** @returns {Candidate[]} */
export const candidatesOf = (oneCase) =>
  CANDIDATES.filter((name) => name === 'tenantry' || oneCase[name] !== undefined);

/** @returns {{ request: (targets: import('./cases.mjs').Targets) => import('./cases.mjs').Request, status: number }} */
export function orderOf(caseName, _candidate) {
  return CASES.find(({ name }) => name === caseName);
}
