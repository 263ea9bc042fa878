import { inTurn } from './statistics.mjs';

/** As many as the load generator has connections. */
export const CONCURRENCY = 8;

/**
 * Measures several ways to do the same in turn, so that whatever happens to the machine happens to all.
 * @param {Record<string, (round: number) => Promise<number>>} ways each measures itself once
 * @returns {Promise<Record<string, { round: number, value: number }[]>>}
 */
export async function interleave(ways, rounds) {
  const names = Object.keys(ways);
  const values = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of inTurn(names, round)) values[name].push({ round, value: await ways[name](round) });
  }
  return values;
}

/**
 * How often a second `ask` is answered.
 * @param {() => Promise<unknown>} ask
 */
export async function rateOf(ask, seconds) {
  const start = performance.now();
  const end = start + seconds * 1000;
  let done = 0;
  const oneAfterTheOther = async () => {
    while (performance.now() < end) {
      await ask();
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, oneAfterTheOther));
  return (done * 1000) / (performance.now() - start);
}
