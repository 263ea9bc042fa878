import type { BackupEngine, Moment, RestoreTarget } from '../backups/engine';
import { StartupError } from '../common/errors';

/** What the command line says about what to restore. */
export interface TargetOptions {
  at?: string;
  latest?: true;
  restorePoint?: string;
  backup?: string;
}

/** ISO 8601 with an offset: a time without one means something else on each machine. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)$/;

/** @throws StartupError when it says nothing, or contradicts itself */
export async function targetOf(options: TargetOptions, engine: BackupEngine): Promise<RestoreTarget> {
  const { at, latest, restorePoint, backup: backupId } = options;
  const moments: Moment[] = [
    ...(at === undefined ? [] : [{ kind: 'time', at: timeOf(at) } as const]),
    ...(latest ? [{ kind: 'latest' } as const] : []),
    ...(restorePoint === undefined ? [] : [{ kind: 'point', name: restorePoint } as const]),
  ];
  if (moments.length > 1) throw new StartupError('--at, --latest and --restore-point exclude each other.');
  const [moment] = moments;
  if (moment) return { moment, backupId };
  if (backupId === undefined)
    throw new StartupError('Say what to restore: --at <time>, --latest, --restore-point <name> or --backup <id>.');
  const backups = await engine.listBackups();
  const backup = backups.find(({ id }) => id === backupId);
  if (!backup) throw new StartupError(`There is no backup ${backupId}. See: tenantry backup list`);
  return { moment: { kind: 'time', at: backup.finishedAt }, backupId };
}

/** @throws StartupError when it is no time, or no certain one */
export function timeOf(text: string): Date {
  const time = new Date(text);
  if (TIME.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new StartupError(`--at must be a time with its offset, such as ${new Date().toISOString()}.`);
}
