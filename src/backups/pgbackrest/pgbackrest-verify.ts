import { BackupDamagedError } from '../engine';
import type { BackupInfo } from './pgbackrest-info';
import type { PgBackRest } from './pgbackrest-program';

/**
 * Has pgBackRest read its whole repository, and says whether a backup and the log are sound in it. What `verify` has found is
 * in its text alone: it ends with 0 also when the repository is corrupt.
 * @throws BackupDamagedError naming what is wrong; PgBackRestError
 */
export async function verifyRepository(program: PgBackRest, backup: BackupInfo): Promise<void> {
  const named: string[] = [];
  const report: string[] = [];
  await program.run('verify', ['--repo=1', '--output=text', '--verbose', '--log-level-console=info'], {
    onLine: (line) => {
      const found = /INFO: ((?:invalid|file missing|missing) .+)/.exec(line)?.[1];
      if (found !== undefined) named.push(found);
      else if (!/^\d{4}-\d\d-\d\d /.test(line)) report.push(line);
    },
  });
  const problem = problemIn(report, backup);
  if (problem === undefined) return;
  throw new BackupDamagedError(backup.label, [problem, ...named].join('; '));
}

/**
 * @param report what `verify --output=text --verbose` says
 * @returns undefined: the backup, those that it builds upon and the log are sound
 */
export function problemIn(
  report: readonly string[],
  { label, reference }: Pick<BackupInfo, 'label' | 'reference'>,
): string | undefined {
  const status = report.map((line) => /^\s*status: (\w+)/.exec(line)?.[1]).find(Boolean);
  if (status === 'ok') return undefined;
  if (status === undefined) return 'pgBackRest does not say how its repository is';
  const archives = report.flatMap((line) => {
    const [, id, total, valid] = /archiveId: (\S+), total WAL checked: (\d+), total valid WAL: (\d+)/.exec(line) ?? [];
    return id === undefined ? [] : [{ id, invalid: Number(total) - Number(valid) }];
  });
  const backups = report.flatMap((line) => {
    const [, id, state] = /backup: (\S+), status: ([^,]+),/.exec(line) ?? [];
    return id === undefined ? [] : [{ id, state }];
  });
  // An error of which nothing is told might be of this one.
  if (archives.length === 0 || !backups.some(({ id }) => id === label)) return report.join(' ').trim();
  const log = archives.find(({ invalid }) => invalid > 0);
  if (log) return `${log.invalid} segments of the log ${log.id} are not valid`;
  const needed = [label, ...(reference ?? [])];
  const bad = backups.find(({ id, state }) => needed.includes(id) && state !== 'valid');
  return bad && `pgBackRest calls ${bad.id} ${bad.state}`;
}
