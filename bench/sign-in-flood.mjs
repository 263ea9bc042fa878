// The part `sign-in-flood`: how long a read takes while others sign in as fast as they are answered.
import { startLoad } from './servers.mjs';
import { median, ratiosByRound } from './statistics.mjs';

const READ = 'get-user';
/** A few, so that the reads themselves load nothing. */
const READS_PER_SECOND = 200;
const ROUNDS = 5;
const SECONDS = 4;
/** The flood begins before the reads and ends after them. */
const MARGIN_SECONDS = 1;

/** @param {object[]} samples gets them one by one */
export async function measureSignInFlood({ connections }, setup, samples) {
  const { servers, load } = await setup.serve();
  const flood = await setup.stage.starting('a second load generator', Promise.resolve(startLoad(setup.targetsFile)));
  const { url } = servers.tenantry;
  const reads = () =>
    load.measure({ caseName: READ, candidate: 'tenantry', url, perSecond: READS_PER_SECOND, seconds: SECONDS });
  for (let round = 1; round <= ROUNDS; round += 1) {
    const alone = await reads();
    await setup.forgetAttempts();
    const seconds = SECONDS + 2 * MARGIN_SECONDS;
    const signIns = flood.measure({ caseName: 'login', candidate: 'tenantry', url, connections, seconds });
    const begun = new Promise((resolve) => setTimeout(resolve, MARGIN_SECONDS * 1000));
    const flooded = await begun.then(reads);
    const { requests, errors, unexpected } = await signIns;
    samples.push({ round, case: READ, way: 'alone', ...alone });
    samples.push({
      round,
      case: READ,
      way: 'flooded',
      ...flooded,
      errors: flooded.errors + errors,
      unexpected: [...flooded.unexpected, ...unexpected],
      signInsPerSecond: requests / seconds,
    });
    console.log(
      `flood ${round}  p99 ${alone.p99Ms.toFixed(2)} ms alone, ${flooded.p99Ms.toFixed(2)} ms beside ${(requests / seconds).toFixed(0)} sign-ins a second`,
    );
  }
  await flood.stop();
}

export function summarizeSignInFlood(samples) {
  const [alone, flooded] = ['alone', 'flooded'].map((way) => samples.filter((sample) => sample.way === way));
  if (flooded.length === 0) return undefined;
  const p99Ratios = ratiosByRound(flooded, alone, ({ p99Ms }) => p99Ms);
  const mediansOf = (some) => ({
    p50Ms: median(some.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(some.map(({ p99Ms }) => p99Ms)),
  });
  return {
    case: READ,
    readsPerSecond: READS_PER_SECOND,
    signInsPerSecond: median(flooded.map(({ signInsPerSecond }) => signInsPerSecond)),
    rounds: flooded.length,
    alone: mediansOf(alone),
    flooded: mediansOf(flooded),
    p99Ratio: median(p99Ratios),
    p99Ratios,
  };
}

/** @returns {import('./aims.mjs').Comparison[]} */
export function compareSignInFlood(samples) {
  const ratios = summarizeSignInFlood(samples)?.p99Ratios ?? [];
  return [{ part: 'sign-in-flood', case: READ, to: 'alone', ratios }];
}
