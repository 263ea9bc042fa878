import { StartupError } from '../common/errors';
import type { BackupEnv } from '../config/backup-env';
import { parseConnectionString, refusePlainText } from '../database/connection-string';
import { BackupSession } from '../database/backup-session';
import { keptLoginUrls } from '../database/embedded-database';

/** The variable of the login that backup work runs as. */
export const BACKUP_LOGIN = 'POSTGRES_BACKUP_URL';

/** @throws StartupError when there is neither a variable nor an embedded database, or it would go in plain text to another machine */
export function backupUrlOf(env: BackupEnv): string {
  const url = env.url ?? keptLoginUrls(env.dataDir).backup;
  if (url === undefined)
    throw new StartupError(`Nothing has been started in ${env.dataDir} yet. Set ${BACKUP_LOGIN}, or DATA_DIR.`);
  if (env.refusesPlainText) refusePlainText(parseConnectionString(url, BACKUP_LOGIN));
  return url;
}

/** A connection for what backups ask by SQL; the caller ends it. @throws StartupError when there is none to be had */
export async function openBackupSession(env: BackupEnv): Promise<BackupSession> {
  return BackupSession.connect(backupUrlOf(env), BACKUP_LOGIN);
}
