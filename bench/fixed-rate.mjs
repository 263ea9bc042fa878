// The part `fixed-rate`: how long callers wait who are no more than all of the candidates can answer.
import { inTurn, median, ratiosByRound } from './statistics.mjs';

const PER_SECOND = 400;
/** A p99 is the worst of a hundred: it needs more requests, and more rounds, than a median. */
const ROUNDS = 5;
const SECONDS = 3;
const WARM_UP_SECONDS = 2;
const CANDIDATES = ['tenantry', 'peer'];
const CASES = ['get-user', 'list-users', 'list-events-prisma'];

/** @param {object[]} samples gets them one by one */
export async function measureFixedRate(_options, setup, samples) {
  const { servers, load, cases } = await setup.serve();
  const names = CASES.filter((name) => cases.some((one) => one.name === name));
  const measure = (caseName, candidate, seconds) =>
    load.measure({ caseName, candidate, url: servers[candidate].url, perSecond: PER_SECOND, seconds });
  for (const name of names) for (const candidate of CANDIDATES) await measure(name, candidate, WARM_UP_SECONDS);
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const name of names) {
      for (const candidate of inTurn(CANDIDATES, round)) {
        const sample = { round, case: name, candidate, ...(await measure(name, candidate, SECONDS)) };
        samples.push(sample);
        const { p50Ms, p99Ms } = sample;
        console.log(
          `${PER_SECOND}/s ${round}  ${name.padEnd(18)} ${candidate.padEnd(11)} p50 ${p50Ms.toFixed(2)} ms   p99 ${p99Ms.toFixed(2)} ms`,
        );
      }
    }
  }
}

/** Medians over the rounds; the ratios are Tenantry's to the peer's, within one round. */
export function summarizeFixedRate(samples) {
  return CASES.flatMap((name) => {
    const [tenantry, peer] = CANDIDATES.map((candidate) =>
      samples.filter((sample) => sample.case === name && sample.candidate === candidate),
    );
    if (tenantry.length === 0 || peer.length === 0) return [];
    const p99Ratios = ratiosByRound(tenantry, peer, ({ p99Ms }) => p99Ms);
    return [
      {
        case: name,
        perSecond: PER_SECOND,
        rounds: p99Ratios.length,
        tenantry: mediansOf(tenantry),
        peer: mediansOf(peer),
        p50Ratio: median(ratiosByRound(tenantry, peer, ({ p50Ms }) => p50Ms)),
        p99Ratio: median(p99Ratios),
        p99Ratios,
      },
    ];
  });
}

const mediansOf = (samples) => ({
  p50Ms: median(samples.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(samples.map(({ p99Ms }) => p99Ms)),
  errors: samples.reduce((sum, { errors }) => sum + errors, 0),
});

/** @returns {import('./aims.mjs').Comparison[]} */
export const compareFixedRate = (samples) =>
  summarizeFixedRate(samples).map(({ case: name, p99Ratios }) => {
    return { part: 'fixed-rate', case: name, to: 'peer', ratios: p99Ratios };
  });
