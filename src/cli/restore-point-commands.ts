import type { Command } from 'commander';
import { backupUrlOf } from '../backups/backup-login';
import { openNotes } from '../backups/repository/open-notes';
import { createRestorePoint, listRestorePoints } from '../backups/restore-points';
import { readBackupEnv } from '../config/backup-env';
import { print } from './print';

const HELP = `
Examples:
  npm run tenantry -- restore-point create before-import      before something large is done
  npm run tenantry -- restore-point list
  npm run tenantry -- restore --restore-point before-import --in-place`;

export function registerRestorePointCommands(program: Command): void {
  const point = program
    .command('restore-point')
    .description('Names for moments, to restore to exactly there, between two commits.')
    .addHelpText('after', HELP);
  point
    .command('create <name>')
    .description('Names this moment of the running server. A name is given once.')
    .option('--json', 'as JSON, for programs')
    .action(async (name: string, options: { json?: true }) => {
      const env = readBackupEnv();
      const made = await createRestorePoint(openNotes(env), backupUrlOf(env), name);
      if (options.json) return print(JSON.stringify(made, null, 2));
      print(`${made.name}: ${made.at.toISOString()}, at ${made.lsn} of timeline ${made.timeline}.`);
    });
  point
    .command('list')
    .description('Shows those that can still be restored to, the oldest first.')
    .option('--json', 'as JSON, for programs')
    .action(async (options: { json?: true }) => {
      const points = await listRestorePoints(openNotes(readBackupEnv()));
      if (options.json) return print(JSON.stringify(points, null, 2));
      if (points.length === 0) return print('There is no restore point.');
      for (const { name, at, lsn, timeline } of points)
        print(`${name}  ${at.toISOString()}  ${lsn} of timeline ${timeline}`);
    });
}
