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
  holdings: NativeHoldings,
  rules: RetentionRules,
  now: Date,
  isProtected?: (backup: BackupManifest) => boolean,
): Expired {
  const { backups, timelines, segmentBytes } = holdings;
  const kept = keptBackups(holdings, rules, now, isProtected);
  return {
    backups: backups.filter((backup) => !kept.includes(backup)),
    segments: timelines.flatMap((line) => {
      // A kept backup of a forerunner leads through all of a timeline, also where it has younger backups of its own.
      if (kept.some((backup) => mayLeadTo(line, backup))) return [];
      const starts = kept
        .filter(({ start }) => start.timeline === line.timeline)
        .map(({ start }) => parseLsn(start.lsn));
      const first = starts.reduce<bigint | undefined>((a, b) => (a === undefined || b < a ? b : a), undefined);
      if (first !== undefined) return line.segments.filter(({ number }) => number < numberAt(first, segmentBytes));
      return kept.length > 0 && kept.every(({ start }) => start.timeline > line.timeline) ? line.segments : [];
    }),
  };
}

/** Where it is not known how a timeline came about, each backup of an older one may lead there. */
function mayLeadTo(
  { timeline, history }: NativeHoldings['timelines'][number],
  { start, end }: BackupManifest,
): boolean {
  if (history.length === 0) return start.timeline < timeline;
  return history.some((leg) => leg.timeline === start.timeline && parseLsn(end.lsn) <= leg.until);
}
