import { parseLsn } from '../../database/wal-stream';
import type { RetentionRules } from '../engine';
import type { BackupManifest } from './backup-manifest';
import type { NativeHoldings } from './backup-store';
import type { ArchivedSegment } from './wal-archive';
import { numberAt } from '../wal-segments';

export interface Expired {
  backups: readonly BackupManifest[];
  segments: readonly ArchivedSegment[];
}

const DAY_MS = 86_400_000;

/**
 * What a repository may forget: backups that are neither among the newest nor needed for a moment of the promised days, and
 * the log that leads from none that is kept. To restore the first of these days takes the newest backup before it.
 * @param isProtected keeps a backup, with its log, whatever the rules say
 */
export function expiredOf(
  { backups, timelines, segmentBytes }: NativeHoldings,
  rules: RetentionRules,
  now: Date,
  isProtected: (backup: BackupManifest) => boolean = () => false,
): Expired {
  const newestFirst = backups.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const horizon = new Date(now.getTime() - rules.days * DAY_MS).toISOString();
  const lastBefore = newestFirst.findIndex(({ finishedAt }) => finishedAt <= horizon);
  const needed = lastBefore < 0 ? newestFirst.length : lastBefore + 1;
  const count = Math.max(rules.keep, needed, 1);
  const isKept = (backup: BackupManifest, place: number): boolean => place < count || isProtected(backup);
  const kept = newestFirst.filter(isKept);
  return {
    backups: newestFirst.filter((backup, place) => !isKept(backup, place)),
    segments: timelines.flatMap(({ timeline, segments }) => {
      // Log of a timeline is needed from the oldest kept backup on it on; of an older timeline than that of every kept one, none.
      const starts = kept.filter(({ start }) => start.timeline === timeline).map(({ start }) => parseLsn(start.lsn));
      const first = starts.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
      if (first !== undefined) return segments.filter(({ number }) => number < numberAt(first, segmentBytes));
      return kept.length > 0 && kept.every(({ start }) => start.timeline > timeline) ? segments : [];
    }),
  };
}
