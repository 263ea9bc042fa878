import type { Command } from 'commander';
import { BackupCatalogue } from '../backups/backup-catalogue';
import { runBackupJob } from '../backups/backup-job';
import { openBackupSession } from '../backups/backup-login';
import { openEngine } from '../backups/open-engine';
import { pruneBackups } from '../backups/prune-backups';
import { openNotes } from '../backups/repository/open-notes';
import { StartupError } from '../common/errors';
import { type BackupEnv, readBackupEnv } from '../config/backup-env';
import { numberOption } from './number-option';
import { print } from './print';
import { ProgressLine } from './progress-line';
import { formatBytes } from './terminal-text';

const HELP = `
Examples:
  npm run tenantry -- backup create            daily, from cron or a Kubernetes CronJob
  npm run tenantry -- backup list --json | jq .windows
  npm run tenantry -- backup prune --days 30 --keep 7 --dry-run`;

export function registerBackupCommands(program: Command): void {
  const backup = program
    .command('backup')
    .description('Base backups: the whole cluster, compressed and sealed.')
    .addHelpText('after', HELP);
  backup
    .command('create')
    .description('Takes one, of the running server, and removes what BACKUP_KEEP and BACKUP_KEEP_DAYS no longer keep.')
    .option('--spread', "spreads the checkpoint, to disturb nobody; begins minutes later at the server's pace")
    .option('--json', 'as JSON, for programs')
    .action(createBackup);
  backup
    .command('list')
    .description('Shows each, and what times can be restored to.')
    .option('--json', 'as JSON, for programs')
    .action(listBackups);
  backup
    .command('verify [id]')
    .description('Reads one, or all, to the last byte: checksums, seals, every file of the cluster.')
    .action(verifyBackups);
  backup
    .command('prune')
    .description('Removes the backups and the log that nothing needs any more.')
    .option('--days <number>', 'any moment of so many days can still be restored to (BACKUP_KEEP_DAYS, or 7)')
    .option('--keep <number>', 'so many of the newest are kept, however old they are (BACKUP_KEEP, or 7)')
    .option('--dry-run', 'says what it would remove, and removes nothing')
    .action(prune);
}

async function createBackup(options: { spread?: true; json?: true }): Promise<void> {
  const env = readBackupEnv();
  const engine = openEngine(env);
  const progress = new ProgressLine('backup', options.json !== true);
  const backup = await withCatalogue(env, (catalogue) =>
    runBackupJob({
      env,
      engine,
      catalogue,
      trigger: 'manual',
      checkpoint: options.spread ? 'spread' : 'fast',
      onProgress: (done, total) => progress.show(done, total),
    }),
  ).finally(() => progress.end());
  if (options.json) return print(JSON.stringify(backup, null, 2));
  const { id, clusterBytes, storedBytes } = backup;
  print(`${id}: ${formatBytes(clusterBytes)}, ${formatBytes(storedBytes)} stored in ${engine.place}.`);
}

async function listBackups(options: { json?: true }): Promise<void> {
  const engine = openEngine(readBackupEnv());
  const [backups, spans] = await Promise.all([engine.listBackups(), engine.coverage()]);
  if (options.json) {
    const windows = spans.map(({ backupId, gap, ...span }) => ({ backup: backupId, ...span, gap: gap ?? null }));
    return print(JSON.stringify({ backups, windows }, null, 2));
  }
  if (backups.length === 0) return print(`There is no backup in ${engine.place}.`);
  for (const { id, finishedAt, storedBytes, serverMajor } of backups) {
    print(`${id}  ${finishedAt.toISOString()}  ${formatBytes(storedBytes)}  PostgreSQL ${serverMajor}`);
    for (const { from, to, timeline, gap } of spans.filter(({ backupId }) => backupId === id)) {
      const lost = gap ? `; then ${gap} is missing` : '';
      const range = `${from.toISOString()} … ${to.toISOString()}`;
      print(`    restores to any moment ${range} (timeline ${timeline}${lost})`);
    }
  }
}

async function verifyBackups(id: string | undefined): Promise<void> {
  const engine = openEngine(readBackupEnv());
  const ids = id === undefined ? (await engine.listBackups()).map((backup) => backup.id) : [id];
  const [damaged] = id === undefined ? ((await engine.damagedBackups?.()) ?? []) : [];
  if (ids.length === 0 && !damaged) throw new StartupError(`There is no backup in ${engine.place}.`);
  for (const one of ids) {
    const progress = new ProgressLine(one);
    await engine.verifyBackup(one, (done, total) => progress.show(done, total)).finally(() => progress.end());
    print(`${one} is whole.`);
  }
  if (damaged) throw damaged; // after the others: those are what can be restored from
}

async function prune(options: { days?: string; keep?: string; dryRun?: true }): Promise<void> {
  const env = readBackupEnv();
  const { keep, keepDays } = env.schedule;
  const rules = {
    days: numberOption('--days', options.days ?? String(keepDays), 0),
    keep: numberOption('--keep', options.keep ?? String(keep), 1),
  };
  const dryRun = options.dryRun ?? false;
  const { backups, files } = await pruneBackups({ engine: openEngine(env), notes: openNotes(env), rules, dryRun });
  const removed = dryRun ? 'Would remove' : 'Removed';
  for (const id of backups) print(`${removed} the backup ${id}.`);
  print(`${removed} ${backups.length} backups and ${files} segments of the log.`);
}

/** With what the database knows of backups, where it can be reached: a repository is looked after without it, too. */
async function withCatalogue<Result>(
  env: BackupEnv,
  work: (catalogue: BackupCatalogue | undefined) => Promise<Result>,
): Promise<Result> {
  const session = await openBackupSession(env).catch(() => undefined);
  try {
    return await work(session && new BackupCatalogue(session));
  } finally {
    await session?.end();
  }
}
