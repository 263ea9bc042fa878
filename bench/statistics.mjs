/** @param {number[]} values not empty */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** So many values that one of them at each end may be chance. */
const MANY = 5;

/** Half of what lies between the smallest and the largest; of five or more without those two themselves. */
export function noiseOf(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const kept = sorted.length < MANY ? sorted : sorted.slice(1, -1);
  return (kept.at(-1) - kept[0]) / 2;
}

/** The smallest of sorted values that at least this share of all does not exceed; 0 of nothing. */
export const percentile = (sorted, share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;

/** In each round another one begins. */
export const inTurn = (list, round) => list.map((_, index) => list[(index + round - 1) % list.length]);

/** One for each round that has both. @param {{ round: number }[]} own @param {{ round: number }[]} others */
export const ratiosByRound = (own, others, valueOf) =>
  own.flatMap((one) => {
    const other = others.find(({ round }) => round === one.round);
    return other ? [valueOf(one) / valueOf(other)] : [];
  });
