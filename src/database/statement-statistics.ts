import { type Client, escapeIdentifier } from 'pg';
import { LOGINS } from './login-definitions';
import { type Administrator, isRefused } from './login-roles';

/** What a server of ours is started with, so that it counts its statements and the time it waits for the disk. */
export const STATISTICS_SETTINGS = {
  shared_preload_libraries: 'pg_stat_statements',
  // Else each tenant's SET LOCAL app.tenant_id is a statement of its own, with the tenant's id in its text.
  'pg_stat_statements.track_utility': 'off',
  track_io_timing: 'on',
} as const;

/** Beside the application's schemas: the serving logins have no business there. */
const SCHEMA = 'statistics';

interface Facts {
  available: boolean;
  installed: boolean;
  /** pg_stat_statements.track_utility; null when the library was not loaded at the server's start. */
  trackUtility: string | null;
}

/**
 * Installs pg_stat_statements in a database, for the monitor login to read, where the server has it.
 * @param client connected to that database
 * @returns notes on what is missing and how to come by it; everything else works without
 */
export async function ensureStatementStatistics(
  client: Client,
  admin: Administrator,
  database: string,
): Promise<string[]> {
  const { rows } = await client.query<Facts>(
    `SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS available,
       EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements') AS installed,
       current_setting('pg_stat_statements.track_utility', true) AS "trackUtility"`,
  );
  const { available, installed, trackUtility } = rows[0]!;
  if (!available)
    return [
      'The server has no pg_stat_statements, so there are no statistics of statements: install its contrib package.',
    ];
  const notes = installed ? [] : await attempt(client, admin, database, installation());
  if (trackUtility === null) {
    notes.push(
      "Statements are not counted: add pg_stat_statements to the server's shared_preload_libraries and restart it.",
    );
  } else if (trackUtility === 'on') {
    // A new connection finds the setting of its database, if that has one already.
    const quiet = `ALTER DATABASE ${escapeIdentifier(database)} SET pg_stat_statements.track_utility = off`;
    notes.push(...(await attempt(client, admin, database, [quiet])));
  }
  return notes;
}

/** It may stand elsewhere already, where an operator has put it: then that is where it is read. */
function installation(): string[] {
  return [
    `CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`,
    `GRANT USAGE ON SCHEMA ${SCHEMA} TO ${escapeIdentifier(LOGINS.monitor.name)}`,
    `CREATE EXTENSION pg_stat_statements SCHEMA ${SCHEMA}`,
  ];
}

/** All of it or nothing. @returns what a superuser would have to do when this administrator may not */
async function attempt(
  client: Client,
  admin: Administrator,
  database: string,
  statements: readonly string[],
): Promise<string[]> {
  await client.query('BEGIN');
  try {
    for (const statement of statements) await client.query(statement);
    await client.query('COMMIT');
    return [];
  } catch (error) {
    await client.query('ROLLBACK');
    if (!isRefused(error)) throw error;
    return [
      `Statements are not counted as they should be: ${admin.name} may not set that up. ` +
        `As a superuser run, in ${database}: ${statements.join('; ')};`,
    ];
  }
}
