import pg from 'pg';
import { clientConfig } from './client-config';
import { parseConnectionString } from './connection-string';

/** The key of the advisory lock in the database `postgres` of an embedded cluster. Arbitrary, never to change. */
const LOCK_KEY = 7_301_180_402;
const APPLICATION_NAME = 'tenantry-owner';

/** Whoever answers for a cluster's server. */
export type LockHolder = { client: pg.Client } | { heldBy: string };

/**
 * Takes the lock that makes one process responsible for a cluster's server. It lives with the connection, which the
 * system closes when the process dies in whatever way: there are no stale locks.
 * @returns the connection that holds it, or who does ("process 1234")
 */
export async function takeClusterLock(adminUrl: string): Promise<LockHolder> {
  const target = parseConnectionString(adminUrl);
  const client = new pg.Client({
    ...clientConfig(target, target.hosts[0]!),
    application_name: `${APPLICATION_NAME}-${process.pid}`,
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined); // 'end' follows, and whoever holds the lock listens to that
  await client.connect();
  try {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [LOCK_KEY]);
    if (rows[0]?.taken) return { client };
    const heldBy = await nameHolder(client);
    await client.end();
    return { heldBy };
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

async function nameHolder(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ pid: string }>(
    `SELECT substr(application_name, length($1) + 2) AS pid FROM pg_stat_activity
     WHERE application_name LIKE $1 || '-%' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)`,
    [APPLICATION_NAME],
  );
  return rows[0] ? `process ${rows[0].pid}` : 'another process';
}
