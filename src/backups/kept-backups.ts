import type { BaseBackup } from './coverage';
import type { RetentionRules } from './engine';

const DAY_MS = 86_400_000;

/**
 * The backups that a repository must keep, the newest first: so many of the newest, and what any moment of the promised days
 * takes. To restore the first of these days takes the newest backup before it.
 * @param isProtected keeps a backup, whatever the rules say
 */
export function keptBackups<Backup extends Pick<BaseBackup, 'finishedAt'>>(
  backups: readonly Backup[],
  rules: RetentionRules,
  now: Date,
  isProtected: (backup: Backup) => boolean = () => false,
): Backup[] {
  const newestFirst = backups.toSorted((a, b) => b.finishedAt.localeCompare(a.finishedAt));
  const horizon = new Date(now.getTime() - rules.days * DAY_MS).toISOString();
  const lastBefore = newestFirst.findIndex(({ finishedAt }) => finishedAt <= horizon);
  const needed = lastBefore < 0 ? newestFirst.length : lastBefore + 1;
  const count = Math.max(rules.keep, needed, 1);
  return newestFirst.filter((backup, place) => place < count || isProtected(backup));
}
