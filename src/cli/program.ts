import { Command } from 'commander';
import { registerBackupCommands } from './backup-commands';
import { registerDrillCommand } from './drill-command';
import { registerErasureCommands } from './erasure-commands';
import { EXIT_CODES_HELP } from './exit-codes';
import { registerRestoreCommand } from './restore-command';
import { registerRestorePointCommands } from './restore-point-commands';
import { statusCommand } from './status-command';
import { registerTenantArchiveCommands } from './tenant-archive-commands';
import { registerTenantRestoreCommands } from './tenant-restore-commands';
import { registerWalCommands } from './wal-commands';

const HELP = `
Where backups lie: BACKUP_DIR or BACKUP_S3_BUCKET, sealed with BACKUP_KEY; beside
the embedded database DATA_DIR/backups. The login is that of POSTGRES_BACKUP_URL,
or the embedded database's in DATA_DIR. A password is never an argument: it would
be seen by everybody on the machine. All variables: docs/operations.md.
${EXIT_CODES_HELP}

Examples:
  npm run tenantry -- backup create                    take a backup (Tenantry does, daily)
  npm run tenantry -- backup list                      what there is, what can be restored
  npm run tenantry -- drill                            prove the newest one by restoring it
  npm run tenantry -- restore-point create before-import
  npm run tenantry -- restore --at 2026-11-23T10:15:00Z --in-place
  npm run tenantry -- tenant restore acme --at 2026-11-23T10:15:00Z --dry-run
  npm run tenantry -- help restore                     each command explains itself
  npx tenantry status                                  the same, in a checkout that is built`;

/** The command line, whole. */
export function tenantryProgram(): Command {
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
  return program;
}
