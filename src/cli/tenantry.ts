#!/usr/bin/env node
import { Command } from 'commander';
import { registerBackupCommands } from './backup-commands';
import { registerDrillCommand } from './drill-command';
import { registerErasureCommands } from './erasure-commands';
import { EXIT_CODES_HELP } from './exit-codes';
import { registerRestoreCommand } from './restore-command';
import { registerRestorePointCommands } from './restore-point-commands';
import { runCommands } from './run-commands';
import { statusCommand } from './status-command';
import { registerTenantArchiveCommands } from './tenant-archive-commands';
import { registerTenantRestoreCommands } from './tenant-restore-commands';
import { registerWalCommands } from './wal-commands';

const HELP = `
Backups lie in BACKUP_DIR (without POSTGRES_URL: DATA_DIR/backups), sealed with
BACKUP_KEY. Passwords are never arguments: the login is that of
POSTGRES_BACKUP_URL, or the embedded database's in DATA_DIR.
${EXIT_CODES_HELP}

Examples:
  npm run tenantry -- backup create
  npm run tenantry -- wal receive
  npm run tenantry -- restore --at 2026-11-23T10:15:00Z --to /srv/restored
  npm run tenantry -- restore --help      each command has its own`;

const program = new Command('tenantry')
  .description("Tenantry's backups and restores, and how it is.")
  .addHelpText('after', HELP);

registerBackupCommands(program);
registerWalCommands(program);
registerRestoreCommand(program);
registerRestorePointCommands(program);
registerDrillCommand(program);
const tenant = program
  .command('tenant')
  .description('One tenant: back to a moment, out into an archive and in again, erased; all others go on.');
registerTenantRestoreCommands(tenant);
registerTenantArchiveCommands(tenant);
registerErasureCommands(program, tenant);
program.addCommand(statusCommand());

void runCommands(program);
