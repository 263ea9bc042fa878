import { parseLsn } from '../../database/wal-stream';
import type { RetentionRules } from '../engine';
import { keptBackups } from '../kept-backups';
import type { BackupManifest } from './backup-manifest';
import type { NativeHoldings } from './native-holdings';
import type { ArchivedSegment } from './wal-archive';
import { numberAt } from '../wal-segments';

export interface Expired {
  backups: readonly BackupManifest[];
  segments: readonly ArchivedSegment[];
}

/** What a repository may forget: the backups that it need not keep, and the log that leads from none that is kept. */
export function expiredOf(
  { backups, timelines, segmentBytes }: NativeHoldings,
  rules: RetentionRules,
  now: Date,
  isProtected?: (backup: BackupManifest) => boolean,
): Expired {
  const kept = keptBackups(backups, rules, now, isProtected);
  return {
    backups: backups.filter((backup) => !kept.includes(backup)),
    segments: timelines.flatMap(({ timeline, segments }) => {
      // Log of a timeline is needed from the oldest kept backup on it on; of an older timeline than that of every kept one, none.
      const starts = kept.filter(({ start }) => start.timeline === timeline).map(({ start }) => parseLsn(start.lsn));
      const first = starts.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
      if (first !== undefined) return segments.filter(({ number }) => number < numberAt(first, segmentBytes));
      return kept.length > 0 && kept.every(({ start }) => start.timeline > timeline) ? segments : [];
    }),
  };
}
