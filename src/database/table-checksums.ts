import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { LOGINS } from './login-definitions';
import { type RestoreMark, writeMark } from './restore-mark';
import { connectTo } from './server-connection';

/** The rows of one tenant in one table, or, with no tenant, those that belong to nobody. */
export interface TableChecksum {
  /** `schema.table` */
  table: string;
  tenantId: string | null;
  rows: number;
  /** The sum of the rows' hashes. */
  checksum: string;
}

/** What stood in a database at a restore point. */
export interface MarkedChecksums {
  mark: RestoreMark;
  database: string;
  entries: TableChecksum[];
  /** For so long nobody could write, at most: from asking for the locks until they were given up. */
  lockedMs: number;
  attempts: number;
}

export interface ChecksumOptions {
  /** Of the backup login. */
  url: string;
  /** Named in what goes wrong. */
  variable: string;
  /** Restore points get this name and the number of the attempt. */
  name: string;
  /** How long to try to get in between writers. */
  patienceMs?: number;
  signal?: AbortSignal | undefined;
}

/** Writers were never out of all tables at once. */
export class NoQuietMomentError extends Error {
  constructor(attempts: number) {
    super(`In ${attempts} attempts there was no moment without a long write or a vacuum under way in some table.`);
    this.name = 'NoQuietMomentError';
  }
}

/** Who waits for a lock keeps all later writers of that table waiting behind it: for so long they do at worst. */
const LOCK_TIMEOUT_MS = 50;
/** The same for all tables together. */
const LOCKS_TIMEOUT_MS = 200;
/** The server gives the locks up by itself where this process hangs in between. */
const IDLE_TIMEOUT_MS = 500;
const PATIENCE_MS = 300_000;
/** lock_not_available, query_canceled (statement_timeout), deadlock_detected, idle_in_transaction_session_timeout */
const TRY_AGAIN = new Set(['55P03', '57014', '40P01', '25P03']);

const CHECKSUMS = `
  SELECT table_name AS "table", tenant_id AS "tenantId", row_count::float8 AS rows, checksum::text AS checksum
  FROM ops.table_checksums() ORDER BY 1, 2`;

/**
 * Writes a restore point into the log and counts and hashes what stands in the database at exactly that place, while others go on
 * writing. A snapshot alone would not do: what is committed is in the log before others see it. So for a moment (milliseconds)
 * writers are kept out, until both the snapshot and the restore point are there.
 * @throws NoQuietMomentError; StartupError when the login may not
 */
export async function checksumsAtRestorePoint(options: ChecksumOptions): Promise<MarkedChecksums> {
  const connect = (): Promise<pg.Client> => connectTo(options.url, undefined, options.variable);
  const reader = await connect();
  try {
    const deadline = performance.now() + (options.patienceMs ?? PATIENCE_MS);
    for (let attempts = 1; ; attempts += 1) {
      options.signal?.throwIfAborted();
      const marked = await markBetweenWriters(connect, reader, `${options.name}-${attempts}`);
      if (marked) {
        const { rows: entries } = await reader.query<TableChecksum>(CHECKSUMS);
        const { rows } = await reader.query<{ database: string }>('SELECT current_database() AS database');
        await reader.query('COMMIT');
        return { ...marked, ...rows[0]!, entries, attempts };
      }
      if (performance.now() > deadline) throw new NoQuietMomentError(attempts);
      await sleep(randomInt(100, 1_000), undefined, { signal: options.signal });
    }
  } finally {
    await reader.end().catch(() => undefined);
  }
}

/** What stands in a database now. @param url of a superuser: a recovered cluster is open to nobody else */
export async function currentChecksums(url: string): Promise<TableChecksum[]> {
  const client = await connectTo(url);
  try {
    await client.query(`SET SESSION AUTHORIZATION ${LOGINS.backup.name}`); // whom alone the function shows all
    return (await client.query<TableChecksum>(CHECKSUMS)).rows;
  } finally {
    await client.end();
  }
}

/** @returns undefined when there was no such moment; otherwise `reader` has the snapshot */
async function markBetweenWriters(
  connect: () => Promise<pg.Client>,
  reader: pg.Client,
  name: string,
): Promise<{ mark: RestoreMark; lockedMs: number } | undefined> {
  const locker = await connect();
  let lost: Error | undefined;
  locker.on('error', (error) => (lost = error));
  try {
    await reader.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0`,
    );
    const begun = performance.now();
    await locker.query(
      `BEGIN; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; SET LOCAL statement_timeout = ${LOCKS_TIMEOUT_MS};
       SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}; SELECT ops.lock_compared_tables()`,
    );
    const mark = await writeMark(reader, name); // its statement takes the snapshot
    await locker.query('COMMIT'); // fails where the locks were lost meanwhile
    return { mark, lockedMs: performance.now() - begun };
  } catch (error) {
    await reader.query('ROLLBACK').catch(() => undefined);
    const { code = '' } = (lost ?? error) as NodeJS.ErrnoException;
    if (TRY_AGAIN.has(code)) return undefined;
    throw error;
  } finally {
    await locker.end().catch(() => undefined);
  }
}
