import { once } from 'node:events';
import type { Command } from 'commander';
import { NotOfThisEngineError } from '../backups/engine';
import { BackupStore } from '../backups/native/backup-store';
import { receiveContinuously } from '../backups/native/continuous-receiver';
import { readBackupEnv } from '../config/backup-env';
import { backupUrlOf } from '../backups/backup-login';
import { numberOption } from './number-option';
import { print } from './print';

const HELP = `
Tenantry does it by itself while BACKUP_SCHEDULE is on. Elsewhere it runs under a
supervisor, which starts it again. The server keeps what is not stored yet, so
that nothing is lost while it is away; bound that with max_slot_wal_keep_size.

Examples:
  npm run tenantry -- wal receive
  npm run tenantry -- wal receive --every 10      what is lost at worst is 10 s`;

export function registerWalCommands(program: Command): void {
  program
    .command('wal')
    .description('The write-ahead log, which leads from a base backup to any later second.')
    .addHelpText('after', HELP)
    .command('receive')
    .description('Receives and stores it until stopped. One at a time; leave it running.')
    .option('--every <seconds>', 'stores what there is so often: what can be lost at worst', '60')
    .addHelpText('after', HELP)
    .action(receiveLog);
}

/** Receives until SIGINT or SIGTERM; a server that goes away is waited for. */
async function receiveLog(options: { every: string }): Promise<void> {
  const everyMs = numberOption('--every', options.every, 1) * 1000;
  const env = readBackupEnv();
  if (env.engine.name !== 'native')
    throw new NotOfThisEngineError(
      `The log is not received here, but archived by others (BACKUP_ENGINE=${env.engine.name}).`,
    );
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
