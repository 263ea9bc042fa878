import { StartupError } from '../common/errors';
import type { BackupEnv } from '../config/backup-env';
import { keptLoginUrls } from '../database/embedded-database';

/** The variable of the login that backup work runs as. */
export const BACKUP_LOGIN = 'POSTGRES_BACKUP_URL';

/** @throws StartupError when there is neither a variable nor an embedded database */
export function backupUrlOf(env: BackupEnv): string {
  const url = env.url ?? keptLoginUrls(env.dataDir).backup;
  if (url === undefined)
    throw new StartupError(`Nothing has been started in ${env.dataDir} yet. Set ${BACKUP_LOGIN}, or DATA_DIR.`);
  return url;
}
