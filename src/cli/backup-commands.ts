import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BackupManifest } from '../backups/native/backup-manifest';
import { BackupStore } from '../backups/native/backup-store';
import { coverageOf } from '../backups/native/coverage';
import { readBackup } from '../backups/native/read-backup';
import { expiredOf } from '../backups/native/retention';
import { takeBackup } from '../backups/native/take-backup';
import { WalReceiver } from '../backups/native/wal-receiver';
import { StartupError } from '../common/errors';
import { type BackupEnv, readBackupEnv } from '../config/backup-env';
import { keptLoginUrls } from '../database/embedded-database';
import { WalSource } from '../database/wal-source';
import { ProgressLine } from './progress-line';
import { formatBytes } from './terminal-text';

const VARIABLE = 'POSTGRES_BACKUP_URL';
/** The server keeps what is not stored under this name. */
const SLOT = 'tenantry_archive';
/** Between two attempts, while the server or the repository cannot be reached. */
const RETRY_MS = 5_000;

export async function createBackup(options: { spread?: true; json?: true }): Promise<void> {
  const env = readBackupEnv();
  const store = BackupStore.open(env);
  const progress = new ProgressLine('backup', options.json !== true);
  const manifest = await takeBackup({
    store,
    url: urlOf(env),
    variable: VARIABLE,
    checkpoint: options.spread ? 'spread' : 'fast',
    onProgress: (done, total) => progress.show(done, total),
  }).finally(() => progress.end());
  if (options.json) return print(JSON.stringify(manifest, null, 2));
  print(
    `${manifest.id}: ${formatBytes(manifest.clusterBytes)}, ${formatBytes(storedBytes(manifest))} stored in ${store.repository.description}.`,
  );
}

export async function listBackups(options: { json?: true }): Promise<void> {
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

export async function verifyBackups(id: string | undefined): Promise<void> {
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

export async function pruneBackups(options: { days: string; keep: string; dryRun?: true }): Promise<void> {
  const rules = { days: numberOf('--days', options.days, 0), keep: numberOf('--keep', options.keep, 1) };
  const store = BackupStore.open(readBackupEnv());
  const expired = expiredOf(await store.holdings(), rules, new Date());
  if (!options.dryRun) await store.remove(expired);
  const removed = options.dryRun ? 'Would remove' : 'Removed';
  for (const { id, finishedAt } of expired.backups) print(`${removed} the backup ${id} (${finishedAt}).`);
  print(`${removed} ${expired.backups.length} backups and ${expired.segments.length} segments of the log.`);
}

/** Receives until SIGINT or SIGTERM; a server that goes away is waited for. */
export async function receiveLog(options: { every: string }): Promise<void> {
  const everyMs = numberOf('--every', options.every, 1) * 1000;
  const env = readBackupEnv();
  const store = BackupStore.open(env);
  const stop = new AbortController();
  const signalled = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => stop.abort());
  while (!stop.signal.aborted) {
    try {
      await receiveOnce(env, store, everyMs, stop.signal);
    } catch (error) {
      process.stderr.write(`${new Date().toISOString()} ${(error as Error).message}\n`);
      await Promise.race([sleep(RETRY_MS), signalled]);
    }
  }
}

async function receiveOnce(env: BackupEnv, store: BackupStore, everyMs: number, signal: AbortSignal): Promise<void> {
  const source = await WalSource.connect(urlOf(env), VARIABLE);
  try {
    const receiver = new WalReceiver({
      source,
      store,
      slot: SLOT,
      segmentAgeMs: everyMs,
      heartbeatMs: everyMs / 2, // so that a commit is in each segment
      onGap: (reason) => process.stderr.write(`${reason} Take a base backup now: npm run tenantry -- backup create\n`),
    });
    signal.addEventListener('abort', () => receiver.stop(), { once: true });
    print(`The write-ahead log is stored in ${store.repository.description}.`);
    await receiver.run();
  } finally {
    await source.end();
  }
}

function urlOf(env: BackupEnv): string {
  const url = env.url ?? keptLoginUrls(env.dataDir).backup;
  if (url === undefined)
    throw new StartupError(`Nothing has been started in ${env.dataDir} yet. Set ${VARIABLE}, or DATA_DIR.`);
  return url;
}

function numberOf(option: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least) return value;
  throw new StartupError(`${option} must be a whole number, ${least} or more.`);
}

const storedBytes = ({ files }: BackupManifest): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

const print = (line: string): void => void process.stdout.write(`${line}\n`);
