import type { BackupInfo } from './pgbackrest-info';
import type { PgBackRest } from './pgbackrest-program';

/** More backups than a repository can hold: nothing more is removed than what is named. */
const ALL = 9_999_999;

/** Of these backups, those that the kept ones do not build upon. The oldest first. */
export function expiredBackups(backups: readonly BackupInfo[], kept: readonly string[]): BackupInfo[] {
  const needed = new Set(
    backups.flatMap(({ label, reference }) => (kept.includes(label) ? [label, ...(reference ?? [])] : [])),
  );
  return backups.filter(({ label }) => !needed.has(label));
}

/**
 * Removes these backups, and the log from before the oldest full one that stays. What pgBackRest's own configuration says of
 * retention is not asked: it knows neither of promised days nor of protected backups.
 */
export async function expire(
  program: PgBackRest,
  backups: readonly BackupInfo[],
  expired: readonly BackupInfo[],
): Promise<void> {
  const gone = new Set<string>();
  // A full backup takes those that build upon it along.
  for (const { label, reference } of expired.toSorted((a, b) => rankOf(a) - rankOf(b))) {
    if (reference?.some((one) => gone.has(one))) continue;
    await program.run('expire', [`--set=${label}`, ...retaining(ALL)]);
    gone.add(label);
  }
  const fulls =
    backups.filter(({ type }) => type === 'full').length - expired.filter(({ type }) => type === 'full').length;
  await program.run('expire', retaining(Math.max(fulls, 1)));
}

const rankOf = ({ type }: BackupInfo): number => (type === 'full' ? 0 : 1);

function retaining(fulls: number): string[] {
  return [
    '--repo=1',
    '--repo1-retention-full-type=count',
    `--repo1-retention-full=${fulls}`,
    '--repo1-retention-archive-type=full',
    `--repo1-retention-archive=${fulls}`,
    '--reset-repo1-retention-diff',
  ];
}
