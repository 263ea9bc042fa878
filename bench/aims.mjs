// What the figures are held against. The aims are those of the project (docs/benchmark.md, "Aims").
import { median, noiseOf } from './statistics.mjs';

/** The whole stack, answered by reviewed SQL; and through Prisma. Both against Fastify + pg, which does none of it. */
const HOT_PATH = { atLeast: 0.8 };
const THROUGH_PRISMA = { atLeast: 0.5 };
/** Against Express, jose, class-transformer and the row-level security extension. */
const USUAL_STACK = { atLeast: 6 };
/** p99 at a fixed rate, of the same two ways. */
const P99_HOT_PATH = { atMost: 1.3 };
const P99_THROUGH_PRISMA = { atMost: 2 };
/** Server CPU of the same statement without row-level security, in a tenant of 200,000 users. */
const LARGE_LIST = { atMost: 1.5 };
/** One write, one ReadyForQuery. */
const ONE_ROUND_TRIP = { atMost: 1 };
/** Who asks (of a sign-in: the account and the limits), and the work with its audit event. */
const TWO_ROUND_TRIPS = { atMost: 2 };

const READS = ['get-user', 'get-user-roles', 'list-users', 'list-events-prisma', 'check-permission'];
const WRITES = ['login', 'create-user', 'refusal'];

/** By part, case (or `any`), and what Tenantry is compared with. */
const AIMS = {
  'round-trips': Object.fromEntries([
    ...READS.map((name) => [name, { tenantry: ONE_ROUND_TRIP }]),
    ...WRITES.map((name) => [name, { tenantry: TWO_ROUND_TRIPS }]),
  ]),
  throughput: {
    'get-user': { peer: HOT_PATH, usual: USUAL_STACK },
    'get-user-roles': { peer: HOT_PATH },
    'list-users': { peer: HOT_PATH, usual: USUAL_STACK },
    'list-events-prisma': { peer: THROUGH_PRISMA, usual: USUAL_STACK },
    'create-user': { peer: THROUGH_PRISMA, usual: USUAL_STACK },
  },
  'fixed-rate': {
    'get-user': { peer: P99_HOT_PATH },
    'list-users': { peer: P99_HOT_PATH },
    'list-events-prisma': { peer: P99_THROUGH_PRISMA },
  },
  'sign-in-flood': { 'get-user': { alone: { atMost: 2 } } },
  pool: {
    get: { raw: { atLeast: 0.85 } },
    list: { raw: { atLeast: 0.9 } },
    insert: { raw: { atLeast: 0.8 } },
  },
  duplicates: {
    insert: { stock: { atLeast: 10 } },
    connections: { tenantry: { atMost: 0 } },
  },
  'row-security': {
    get: { without: { atMost: 1.25 } },
    list: { without: { atMost: 1.1 } },
  },
  'large-lists': { any: { without: LARGE_LIST } },
};

/**
 * @typedef {object} Comparison what a part has found
 * @property {string} part
 * @property {string} case
 * @property {string} to with what it is compared; of a plain count, whose it is
 * @property {number[]} ratios one for each round; a plain count stands alone and has no noise
 *
 * @typedef {object} Outcome
 * @property {string} part
 * @property {string} case
 * @property {string} to
 * @property {number} ratio median over the rounds
 * @property {number} noise of the ratio over the rounds (statistics.mjs)
 * @property {number} [atLeast]
 * @property {number} [atMost]
 * @property {'met' | 'missed' | 'missed, within the noise'} outcome
 */

/** @param {Comparison[]} comparisons @returns {Outcome[]} of those that have an aim */
export function judge(comparisons) {
  return comparisons.flatMap(({ part, case: name, to, ratios }) => {
    const aim = (AIMS[part]?.[name] ?? AIMS[part]?.any)?.[to];
    if (!aim || ratios.length === 0) return [];
    const [ratio, noise] = [median(ratios), noiseOf(ratios)];
    return [{ part, case: name, to, ratio, noise, ...aim, outcome: outcomeOf(ratio, noise, aim) }];
  });
}

/** What came of dividing by nothing is no success. */
function outcomeOf(ratio, noise, { atLeast = -Infinity, atMost = Infinity }) {
  if (!Number.isFinite(ratio)) return 'missed';
  if (ratio >= atLeast && ratio <= atMost) return 'met';
  return ratio + noise >= atLeast && ratio - noise <= atMost ? 'missed, within the noise' : 'missed';
}
