import type pg from 'pg';
import { StartupError } from '../common/errors';
import { RESTORE_POINT_GRANT } from './backup-rights';
import { connectTo } from './server-connection';

/** A place in the write-ahead log that has a name, so that a restore can stop there to the byte. */
export interface RestoreMark {
  name: string;
  at: Date;
  lsn: string;
  timeline: number;
}

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Writes a restore point into the log, and ends its segment where the login may, so that it is stored at once.
 * @param url of the backup login
 * @throws StartupError when the server cannot be reached, or the login may not
 */
export async function markRestorePoint(url: string, variable: string, name: string): Promise<RestoreMark> {
  const client = await connectTo(url, undefined, variable);
  try {
    const mark = await writeMark(client, name);
    await client.query('SELECT pg_switch_wal()').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== INSUFFICIENT_PRIVILEGE) throw error;
    });
    return mark;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** @throws StartupError when the login may not */
export async function writeMark(client: pg.Client, name: string): Promise<RestoreMark> {
  try {
    const { rows } = await client.query<{ lsn: string; at: Date; timeline: number }>(
      `WITH mark AS MATERIALIZED (SELECT pg_create_restore_point($1) AS lsn, clock_timestamp() AS at)
       SELECT lsn::text AS lsn, at, ('x' || substr(pg_walfile_name(lsn), 1, 8))::bit(32)::int AS timeline FROM mark`,
      [name],
    );
    return { name, ...rows[0]! };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new StartupError(`The backup login may not create restore points. ${RESTORE_POINT_GRANT}`, { cause: error });
  }
}
