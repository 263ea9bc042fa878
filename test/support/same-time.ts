/** How long two actions took. */
export interface Comparison {
  areAlike: boolean;
  /** In milliseconds: what a quarter of the runs stayed below. What else goes on in the machine shows in the others. */
  quartiles: [number, number];
  pairs: number;
}

/** Quartiles that differ by no more than this are alike: a query more takes about half a millisecond, a hash dozens. */
const TOLERANCE_MS = 0.25;
const TOLERANCE_SHARE = 0.06;
const PAIRS_PER_ROUND = 20;
const MAX_ROUNDS = 12;

/**
 * Whether two actions take the same time. They are measured in turn, each first in every second pair, and as often as it
 * takes on a busy machine: chance makes them differ for a while, a cause makes them differ for good.
 */
export async function compareTimes(one: () => Promise<unknown>, other: () => Promise<unknown>): Promise<Comparison> {
  const [ofOne, ofOther]: [number[], number[]] = [[], []];
  await one();
  await other();
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    for (let pair = 0; pair < PAIRS_PER_ROUND; pair += 1) {
      if (pair % 2 === 0) ofOne.push(await durationOf(one));
      ofOther.push(await durationOf(other));
      if (pair % 2 === 1) ofOne.push(await durationOf(one));
    }
    const difference = Math.abs(quartileOf(ofOne) - quartileOf(ofOther));
    if (difference <= Math.max(TOLERANCE_MS, TOLERANCE_SHARE * quartileOf(ofOne))) return result(true);
  }
  return result(false);

  function result(areAlike: boolean): Comparison {
    return { areAlike, quartiles: [quartileOf(ofOne), quartileOf(ofOther)], pairs: ofOne.length };
  }
}

async function durationOf(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

function quartileOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 4)] ?? 0;
}
