import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { StartupError } from '../common/errors';
import { parseConnectionString } from './connection-string';
import { connectTo } from './server-connection';

/** What is asked of a server that somebody else has restored. */
export interface ScratchServer {
  serverMajor: number;
  timeline: number;
  /** The elected instance notes the time every 15 s: this is the last time that the restored database holds. */
  newest: Date | undefined;
}

const SCRATCH = 'POSTGRES_SCRATCH_URL';
const INSUFFICIENT_PRIVILEGE = '42501';
const UNDEFINED_TABLE = '42P01';

/**
 * Makes sure that a restored server is one: not the live server by another name, none that follows it, and of the same cluster.
 * The live one is asked, too, since nothing that a restored server says of itself would tell it from its original.
 * @throws StartupError naming what is wrong, or what cannot be found out: then, too, nothing may be done to it
 */
export async function examineScratch(
  scratchUrl: string,
  live: { url: string; variable: string },
): Promise<ScratchServer> {
  if (parseConnectionString(scratchUrl, SCRATCH).hosts.length > 1)
    throw new StartupError(`${SCRATCH} must name one host: of several nobody knows which one answers.`);
  const scratch = await connectTo(scratchUrl, undefined, SCRATCH);
  try {
    const original = await connectTo(live.url, undefined, live.variable).catch((error: Error) => {
      throw new StartupError(
        `Whether ${SCRATCH} is another server than the live one is found out by asking both, and that one does not answer: ${error.message}`,
        { cause: error },
      );
    });
    try {
      await assertOther(scratch, original);
      await assertSameCluster(scratch, original);
    } finally {
      await original.end();
    }
    return await describe(scratch);
  } finally {
    await scratch.end();
  }
}

/** A lock that is taken in the live server shows in that one alone, whatever addresses, names and proxies lie in between. */
async function assertOther(scratch: pg.Client, original: pg.Client): Promise<void> {
  const key = randomBytes(8).readBigInt64BE();
  await original.query('SELECT pg_advisory_lock($1::bigint)', [String(key)]);
  if (!(await seesLock(original, key)))
    throw new StartupError('The live server does not show its own lock: is a pooler in between? Name it directly.');
  if (await seesLock(scratch, key))
    throw new StartupError(`${SCRATCH} is the live server itself. It must be the one that your provider has restored.`);
  const { rows } = await scratch.query<{ follows: boolean }>('SELECT pg_is_in_recovery() AS follows');
  if (rows[0]?.follows !== false)
    throw new StartupError(`${SCRATCH} is a standby, or still recovers: it must be open for writing.`);
}

async function seesLock(client: pg.Client, key: bigint): Promise<boolean> {
  const unsigned = BigInt.asUintN(64, key);
  const { rows } = await client.query<{ seen: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objid = $2::bigint::oid
       AND objsubid = 1 AND granted) AS seen`,
    [String(unsigned >> 32n), String(unsigned & 0xffff_ffffn)],
  );
  return rows[0]?.seen === true;
}

async function assertSameCluster(scratch: pg.Client, original: pg.Client): Promise<void> {
  const [found, wanted] = await Promise.all([scratch, original].map(systemOf));
  if (found === wanted) return;
  throw new StartupError(
    `${SCRATCH} is of another cluster than the live server: it was not restored from its backups.`,
  );
}

/** Made by initdb, and kept by every physical copy. */
async function systemOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('SELECT system_identifier::text AS id FROM pg_control_system()');
  return rows[0]!.id;
}

async function describe(scratch: pg.Client): Promise<ScratchServer> {
  const { rows } = await scratch.query<{ version: number; timeline: number }>(
    "SELECT current_setting('server_version_num')::int / 10000 AS version, timeline_id AS timeline FROM pg_control_checkpoint()",
  );
  const { version, timeline } = rows[0]!;
  return { serverMajor: version, timeline, newest: await newestIn(scratch) };
}

async function newestIn(scratch: pg.Client): Promise<Date | undefined> {
  try {
    const { rows } = await scratch.query<{ at: Date }>('SELECT observed_at AS at FROM ops.backup_state');
    return rows[0]?.at;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === UNDEFINED_TABLE) return undefined; // restored to before there was one
    if (code !== INSUFFICIENT_PRIVILEGE) throw error;
    throw new StartupError(`The login of ${SCRATCH} may not read ops.backup_state. It must be an administrator's.`, {
      cause: error,
    });
  }
}
