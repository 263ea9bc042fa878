import type { Command } from 'commander';
import type { BackupManifest } from '../backups/native/backup-manifest';
import { BackupStore } from '../backups/native/backup-store';
import { coverageOf } from '../backups/native/coverage';
import { readBackup } from '../backups/native/read-backup';
import { expiredOf } from '../backups/native/retention';
import { takeBackup } from '../backups/native/take-backup';
import { StartupError } from '../common/errors';
import { readBackupEnv } from '../config/backup-env';
import { BACKUP_LOGIN, backupUrlOf } from '../backups/backup-login';
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
    .description('Takes one, of the running server.')
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
    .option('--days <number>', 'any moment of so many days can still be restored to', '7')
    .option('--keep <number>', 'so many of the newest are kept, however old they are', '7')
    .option('--dry-run', 'says what it would remove, and removes nothing')
    .action(pruneBackups);
}

async function createBackup(options: { spread?: true; json?: true }): Promise<void> {
  const env = readBackupEnv();
  const store = BackupStore.open(env);
  const progress = new ProgressLine('backup', options.json !== true);
  const manifest = await takeBackup({
    store,
    url: backupUrlOf(env),
    variable: BACKUP_LOGIN,
    checkpoint: options.spread ? 'spread' : 'fast',
    onProgress: (done, total) => progress.show(done, total),
  }).finally(() => progress.end());
  if (options.json) return print(JSON.stringify(manifest, null, 2));
  print(
    `${manifest.id}: ${formatBytes(manifest.clusterBytes)}, ${formatBytes(storedBytes(manifest))} stored in ${store.repository.description}.`,
  );
}

async function listBackups(options: { json?: true }): Promise<void> {
  const store = BackupStore.open(readBackupEnv());
  const holdings = await store.holdings();
  const windows = coverageOf(holdings).map(({ backup, timeline, from, to, gap }) => ({
    backup: backup.id,
    timeline,
    from,
    to,
    gap: gap ?? null,
  }));
  if (options.json) return print(JSON.stringify({ backups: holdings.backups, windows }, null, 2));
  if (holdings.backups.length === 0) return print(`There is no backup in ${store.repository.description}.`);
  for (const backup of holdings.backups) {
    print(`${backup.id}  ${backup.finishedAt}  ${formatBytes(storedBytes(backup))}  PostgreSQL ${backup.serverMajor}`);
    for (const { from, to, timeline, gap } of windows.filter((window) => window.backup === backup.id)) {
      const lost = gap ? `; then ${gap} is missing` : '';
      print(`    restores to any moment ${from.toISOString()} … ${to.toISOString()} (timeline ${timeline}${lost})`);
    }
  }
}

async function verifyBackups(id: string | undefined): Promise<void> {
  const store = BackupStore.open(readBackupEnv());
  const manifests = id === undefined ? await store.listBackups() : [await store.readManifest(id)];
  if (manifests.length === 0) throw new StartupError(`There is no backup in ${store.repository.description}.`);
  for (const manifest of manifests) {
    const progress = new ProgressLine(manifest.id);
    const { repository, keys } = store;
    const onProgress = (done: number): void => progress.show(done, manifest.clusterBytes);
    await readBackup({ repository, keys, manifest, onProgress }).finally(() => progress.end());
    print(`${manifest.id} is whole.`);
  }
}

async function pruneBackups(options: { days: string; keep: string; dryRun?: true }): Promise<void> {
  const rules = { days: numberOption('--days', options.days, 0), keep: numberOption('--keep', options.keep, 1) };
  const store = BackupStore.open(readBackupEnv());
  const expired = expiredOf(await store.holdings(), rules, new Date());
  if (!options.dryRun) await store.remove(expired);
  const removed = options.dryRun ? 'Would remove' : 'Removed';
  for (const { id, finishedAt } of expired.backups) print(`${removed} the backup ${id} (${finishedAt}).`);
  print(`${removed} ${expired.backups.length} backups and ${expired.segments.length} segments of the log.`);
}

const storedBytes = ({ files }: BackupManifest): number => files.reduce((sum, { bytes }) => sum + bytes, 0);
