import { type Client, escapeIdentifier } from 'pg';
import { LOGINS } from './login-definitions';
import { isRefused } from './login-roles';

const BACKUP = escapeIdentifier(LOGINS.backup.name);

/**
 * Lets the backup login end a segment of the write-ahead log before it is full (a right that superusers alone have).
 * @returns notes on what this administrator may not do
 */
export async function grantBackupRights(client: Client): Promise<string[]> {
  try {
    await client.query(`GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${BACKUP}`);
    return [];
  } catch (error) {
    if (!isRefused(error)) throw error;
    return [
      `${LOGINS.backup.name} may not end segments of the write-ahead log, so that what is lost at worst is as long as a segment ` +
        'takes to fill. As a superuser run, in this database: ' +
        `GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${LOGINS.backup.name}; or set archive_timeout = '60s'.`,
    ];
  }
}
