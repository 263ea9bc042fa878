import { type Client, escapeIdentifier } from 'pg';
import { LOGINS } from './login-definitions';
import { isRefused } from './login-roles';

const BACKUP = escapeIdentifier(LOGINS.backup.name);

/** What to do where restore points are refused. */
export const RESTORE_POINT_GRANT =
  `As a superuser run, in this database: GRANT EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text) TO ${LOGINS.backup.name}; ` +
  'a provider that lets nobody do that (most managed servers) has no restore points.';

/** Functions that superusers alone may call, with what goes without them. */
const RIGHTS = [
  {
    grant: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${BACKUP}`,
    note:
      `${LOGINS.backup.name} may not end segments of the write-ahead log, so that what is lost at worst is as long as a segment ` +
      'takes to fill. As a superuser run, in this database: ' +
      `GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO ${LOGINS.backup.name}; or set archive_timeout = '60s'.`,
  },
  {
    grant: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_create_restore_point(text) TO ${BACKUP}`,
    note:
      `${LOGINS.backup.name} may not create restore points, so that a restored database is compared with nothing. ` +
      RESTORE_POINT_GRANT,
  },
  {
    grant: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO ${BACKUP}`,
    note:
      `${LOGINS.backup.name} may not look when a timeline began, so that for a minute after a restore or a promotion no moment ` +
      `can be restored. As a superuser run, in this database: GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_waldir() TO ${LOGINS.backup.name};`,
  },
];

/**
 * Lets the backup login end a segment of the write-ahead log before it is full, name a place in it, and see when its timeline began.
 * @returns notes on what this administrator may not do
 */
export async function grantBackupRights(client: Client): Promise<string[]> {
  const notes: string[] = [];
  for (const { grant, note } of RIGHTS) {
    try {
      await client.query(grant);
    } catch (error) {
      if (!isRefused(error)) throw error;
      notes.push(note);
    }
  }
  return notes;
}
