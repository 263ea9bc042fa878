import { once } from 'node:events';
import type { Command } from 'commander';
import { BackupStore } from '../backups/native/backup-store';
import { receiveContinuously } from '../backups/native/continuous-receiver';
import { readBackupEnv } from '../config/backup-env';
import { backupUrlOf } from '../backups/backup-login';
import { numberOption } from './number-option';
import { print } from './print';

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
  void Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => stop.abort());
  await receiveContinuously(
    {
      store,
      url: () => backupUrlOf(env),
      everyMs,
      onStart: () => print(`The write-ahead log is stored in ${store.repository.description}.`),
      onGap: (reason) => complain(`${reason} Take a base backup now: npm run tenantry -- backup create`),
      onFailure: (error) => complain((error as Error).message),
    },
    stop.signal,
  );
}

const complain = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`);
