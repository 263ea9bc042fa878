import type { SizePoint } from './size-samples.repository';

/** Bytes per day, from 7 and from 30 days; null where there is too little history. Negative: it shrinks. */
export interface Growth {
  last7Days: number | null;
  last30Days: number | null;
}

/** The windows, in days. */
export const GROWTH_WINDOWS = { last7Days: 7, last30Days: 30 } as const satisfies Record<keyof Growth, number>;

const DAY_MS = 24 * 3_600_000;
/** Fewer say nothing about a trend. */
const LEAST_POINTS = 4;
/** What was seen for less than this part of a window does not speak for it. */
const LEAST_SPAN = 0.5;

/** How fast something grows. @param points oldest first */
export function growthOf(points: readonly SizePoint[], now: Date): Growth {
  const over = (days: number): number | null => {
    const recent = points.filter(({ at }) => at.getTime() >= now.getTime() - days * DAY_MS);
    if (recent.length < LEAST_POINTS) return null;
    const span = recent.at(-1)!.at.getTime() - recent[0]!.at.getTime();
    return span < days * DAY_MS * LEAST_SPAN ? null : Math.round(medianSlope(recent));
  };
  return { last7Days: over(GROWTH_WINDOWS.last7Days), last30Days: over(GROWTH_WINDOWS.last30Days) };
}

/**
 * Days until `bytes` reaches the bound, by the faster of both growths; 0 when it has. Null: there is no bound, too little history,
 * or nothing grows.
 */
export function daysUntilFull(bytes: number, growth: Growth, boundBytes: number | undefined): number | null {
  if (boundBytes === undefined) return null;
  if (bytes >= boundBytes) return 0;
  const perDay = Math.max(growth.last7Days ?? 0, growth.last30Days ?? 0);
  return perDay > 0 ? Math.round(((boundBytes - bytes) / perDay) * 10) / 10 : null;
}

/**
 * Bytes per day: the median of the slopes between each two points (Theil and Sen). Up to 29 % of the points may be wrong
 * (a bulk load, a VACUUM FULL) before it follows them.
 */
function medianSlope(points: readonly SizePoint[]): number {
  const slopes = points
    .flatMap((a, place) =>
      points.slice(place + 1).map((b) => (b.bytes - a.bytes) / ((b.at.getTime() - a.at.getTime()) / DAY_MS)),
    )
    .toSorted((a, b) => a - b);
  const middle = Math.floor(slopes.length / 2);
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}
