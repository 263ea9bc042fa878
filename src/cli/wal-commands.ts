import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { BackupStore } from '../backups/native/backup-store';
import { WalReceiver } from '../backups/native/wal-receiver';
import { type BackupEnv, readBackupEnv } from '../config/backup-env';
import { WalSource } from '../database/wal-source';
import { BACKUP_LOGIN, backupUrlOf } from '../backups/backup-login';
import { numberOption } from './number-option';
import { print } from './print';

/** The server keeps what is not stored under this name. */
const SLOT = 'tenantry_archive';
/** Between two attempts, while the server or the repository cannot be reached. */
const RETRY_MS = 5_000;

export function registerWalCommands(program: Command): void {
  program
    .command('wal')
    .description('The write-ahead log, which leads from a base backup to any later second.')
    .command('receive')
    .description('Receives and stores it until stopped. One at a time; leave it running.')
    .option('--every <seconds>', 'stores what there is so often: what can be lost at worst', '60')
    .action(receiveLog);
}

/** Receives until SIGINT or SIGTERM; a server that goes away is waited for. */
async function receiveLog(options: { every: string }): Promise<void> {
  const everyMs = numberOption('--every', options.every, 1) * 1000;
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
  const source = await WalSource.connect(backupUrlOf(env), BACKUP_LOGIN);
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
