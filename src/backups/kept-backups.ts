import { type BaseBackup, begunAtOf, coverageOf, type Holdings, type StoredSegment } from './coverage';
import type { RetentionRules } from './engine';

const DAY_MS = 86_400_000;

/**
 * The backups that a repository must keep, the newest first: so many of the newest, and what any moment of the promised days
 * takes. To restore the first of these days takes the newest backup before it; to restore what a timeline began with, the newest
 * that leads there, which after a restore is not the newest before that time.
 * @param isProtected keeps a backup, whatever the rules say
 */
export function keptBackups<Backup extends BaseBackup, Segment extends StoredSegment>(
  holdings: Holdings<Backup, Segment>,
  rules: RetentionRules,
  now: Date,
  isProtected: (backup: Backup) => boolean = () => false,
): Backup[] {
  const newestFirst = holdings.backups.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const horizon = new Date(now.getTime() - rules.days * DAY_MS);
  const lastBefore = newestFirst.findIndex(({ finishedAt }) => new Date(finishedAt) <= horizon);
  const needed = lastBefore < 0 ? newestFirst.length : lastBefore + 1;
  const count = Math.max(rules.keep, needed, 1);
  const leading = leadingBackups(holdings, horizon);
  return newestFirst.filter((backup, place) => place < count || leading.has(backup.id) || isProtected(backup));
}

/** Of each timeline, the newest backup from which the first of its promised moments is restored. */
function leadingBackups(holdings: Holdings, horizon: Date): Set<string> {
  const windows = coverageOf(holdings); // the oldest first
  return new Set(
    holdings.timelines.flatMap((line) => {
      const begunAt = begunAtOf(line);
      const first = begunAt && begunAt > horizon ? begunAt : horizon;
      const leading = windows.findLast(
        ({ timeline, from, to }) => timeline === line.timeline && from <= first && to >= horizon,
      );
      return leading ? [leading.backup.id] : [];
    }),
  );
}
