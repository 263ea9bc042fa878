// What the ratios are held against. The aims are those of the project (docs/benchmark.md, "Aims").

/** The whole stack, answered by reviewed SQL; and through Prisma. Both against Fastify + pg, which does none of it. */
const HOT_PATH = 0.8;
const THROUGH_PRISMA = 0.5;
/** Against Express, jose, class-transformer and the row-level security extension. */
const USUAL_STACK = 6;
/** One write, one ReadyForQuery. */
const READ_ROUND_TRIPS = 1;

const READS = ['get-user', 'get-user-roles', 'list-users', 'list-users-prisma'];

/** `of` divided by `to`, in requests per second of the same round. */
export const RATIO_AIMS = [
  { case: 'get-user', to: 'peer', aim: HOT_PATH },
  { case: 'get-user-roles', to: 'peer', aim: HOT_PATH },
  { case: 'list-users', to: 'peer', aim: HOT_PATH },
  { case: 'list-users-prisma', to: 'peer', aim: THROUGH_PRISMA },
  { case: 'create-user', to: 'peer', aim: THROUGH_PRISMA },
  { case: 'get-user', to: 'usual', aim: USUAL_STACK },
  { case: 'list-users', to: 'usual', aim: USUAL_STACK },
  { case: 'list-users-prisma', to: 'usual', aim: USUAL_STACK },
  { case: 'create-user', to: 'usual', aim: USUAL_STACK },
];

/**
 * @typedef {object} Outcome
 * @property {string} case
 * @property {string} to the candidate that Tenantry is compared with
 * @property {number} ratio median over the rounds
 * @property {number} noise half of what lies between the smallest and the largest ratio of a round
 * @property {number} aim
 * @property {'met' | 'missed' | 'missed, within the noise'} outcome
 */

/**
 * @param {(caseName: string, candidate: string) => { requestsPerSecond: number }[]} samplesOf one for each round
 * @returns {Outcome[]} of what was measured
 */
export function judgeRatios(samplesOf, median) {
  return RATIO_AIMS.flatMap((one) => {
    const [own, other] = [samplesOf(one.case, 'tenantry'), samplesOf(one.case, one.to)];
    if (own.length === 0 || other.length !== own.length) return [];
    const ratios = own.map((sample, round) => sample.requestsPerSecond / other[round].requestsPerSecond);
    const ratio = median(ratios);
    const noise = (Math.max(...ratios) - Math.min(...ratios)) / 2;
    return [{ ...one, ratio, noise, outcome: outcomeOf(ratio, noise, one.aim) }];
  });
}

/** Counts have no noise. @param {{ case: string, candidate: string, roundTrips: number }[]} counts */
export function judgeRoundTrips(counts) {
  return counts
    .filter((one) => one.candidate === 'tenantry' && READS.includes(one.case))
    .map(({ case: name, roundTrips }) => ({
      case: name,
      roundTrips,
      aim: READ_ROUND_TRIPS,
      outcome: roundTrips <= READ_ROUND_TRIPS ? 'met' : 'missed',
    }));
}

function outcomeOf(ratio, noise, aim) {
  if (ratio >= aim) return 'met';
  return ratio + noise < aim ? 'missed' : 'missed, within the noise';
}
