// Who runs, and in which cases.
import { CASES } from './cases.mjs';

/**
 * @typedef {'tenantry' | 'peer' | 'usual' | 'betterAuth'} Candidate
 */

/** In the order of the report. */
export const TITLES = {
  tenantry: 'Tenantry',
  peer: 'Fastify + pg',
  usual: 'usual stack',
  betterAuth: 'Better Auth',
};

export const CANDIDATES = Object.keys(TITLES);

/** @returns {Candidate[]} */
export const candidatesOf = (oneCase) =>
  CANDIDATES.filter((name) => name === 'tenantry' || oneCase[name] !== undefined);

/** @returns {{ request: (targets: import('./cases.mjs').Targets) => import('./cases.mjs').Request, status: number }} */
export function orderOf(caseName, candidate) {
  const found = CASES.find(({ name }) => name === caseName);
  return candidate === 'betterAuth' ? found.betterAuth : found;
}
