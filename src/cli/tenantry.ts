#!/usr/bin/env node
import { Logger } from '@nestjs/common';
import { Command, CommanderError } from 'commander';
import { BackupDamagedError } from '../backups/native/read-backup';
import { OutsideCoverageError } from '../backups/native/coverage';
import { StartupError } from '../common/errors';
import { loadDotEnv } from '../config/dot-env';
import { RecoveryFailedError } from '../database/recovery-server';
import { createBackup, listBackups, pruneBackups, receiveLog, verifyBackups } from './backup-commands';
import { restoreCluster, RestoredDamagedError } from './restore-command';

const EXIT_FAILED = 1;
const EXIT_MISUSED = 2;

const HELP = `
Backups lie in BACKUP_DIR (without POSTGRES_URL: DATA_DIR/backups), sealed with
BACKUP_KEY. Passwords are never arguments: the login is that of
POSTGRES_BACKUP_URL, or the embedded database's in DATA_DIR.

Exit code:
  0  done
  1  it failed, or a backup is damaged
  2  misused or wrongly configured

Examples:
  npm run tenantry -- backup create
  npm run tenantry -- wal receive
  npm run tenantry -- restore --at 2026-11-23T10:15:00Z --to /srv/restored`;

function program(): Command {
  const tenantry = new Command('tenantry')
    .description("Tenantry's backups and restores.")
    .addHelpText('after', HELP)
    .showHelpAfterError()
    .exitOverride();

  const backup = tenantry.command('backup').description('Base backups: the whole cluster, compressed and sealed.');
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

  tenantry
    .command('wal')
    .description('The write-ahead log, which leads from a base backup to any later second.')
    .command('receive')
    .description('Receives and stores it until stopped. One at a time; leave it running.')
    .option('--every <seconds>', 'stores what there is so often: what can be lost at worst', '60')
    .action(receiveLog);

  tenantry
    .command('restore')
    .description('Restores the cluster into a new directory. What runs now is not touched.')
    .requiredOption('--to <directory>', 'the new data directory (PGDATA); it must not exist')
    .option('--at <time>', 'to this moment, such as 2026-11-23T10:15:00Z')
    .option('--latest', 'as far as the stored log goes')
    .option('--yes', 'does not ask')
    .action(restoreCluster);
  return tenantry;
}

program()
  .hook('preAction', () => {
    Logger.overrideLogger(['warn', 'error']);
    loadDotEnv();
  })
  .parseAsync()
  .catch((error: unknown) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : EXIT_MISUSED;
      return;
    }
    const isOurs = [
      StartupError,
      OutsideCoverageError,
      BackupDamagedError,
      RecoveryFailedError,
      RestoredDamagedError,
    ].some((type) => error instanceof type);
    process.stderr.write(`${isOurs ? (error as Error).message : ((error as Error).stack ?? String(error))}\n`);
    process.exitCode =
      error instanceof StartupError || error instanceof OutsideCoverageError ? EXIT_MISUSED : EXIT_FAILED;
  });
