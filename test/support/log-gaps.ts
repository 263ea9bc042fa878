import type { WalSegment } from '../../src/backups/wal-segments';

/** The segment numbers that are missing between the first and the last, in order. */
export function gapsIn(segments: readonly Pick<WalSegment, 'number'>[]): bigint[] {
  return segments.slice(1).flatMap(({ number }, index) => {
    const missing: bigint[] = [];
    for (let lost = segments[index]!.number + 1n; lost < number; lost += 1n) missing.push(lost);
    return missing;
  });
}
