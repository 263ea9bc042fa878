import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { readEnv } from '../../src/config/env';
import { whileWanted } from '../../src/database/abandonment';
import type { BoundedPool } from '../../src/database/bounded-pool';
import {
  connectionCreated,
  connectionUsed,
  type ConnectionWaited,
  connectionWaited,
  type StatementFailed,
  statementFailed,
} from '../../src/database/database-events';
import { createPool } from '../../src/database/pool';
import { eventually } from '../support/eventually';
import { newDatabase, type TestDatabase } from '../support/postgres';

let database: TestDatabase;
let pool: BoundedPool;

beforeAll(async () => {
  database = await newDatabase({ empty: true });
});
afterAll(() => database.drop());
afterEach(() => pool.end());

function open(settings: Partial<ReturnType<typeof readEnv>> = {}): BoundedPool {
  pool = createPool('app', database.urls.app, Object.assign(readEnv({}), { POSTGRES_POOL_SIZE: 2, ...settings }));
  pool.on('error', () => undefined);
  return pool;
}

const pidOf = async (): Promise<number> =>
  (await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;

/** Does the server run this statement now? */
async function isRunning(marker: string): Promise<boolean> {
  const rows = await database.query(
    'admin',
    `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()`,
    [marker],
  );
  return rows.length > 0;
}

const untilTrue = (condition: () => Promise<boolean>): Promise<void> =>
  eventually(async () => expect(await condition()).toBe(true));

describe('BoundedPool', () => {
  it('turns callers away at once when as many wait as may', async () => {
    open({ POSTGRES_MAX_WAITING: 3 });
    const work = Array.from({ length: 8 }, () => pool.query('SELECT pg_sleep(0.3)'));
    const outcomes = await Promise.allSettled(work);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
    expect(outcomes.length - refused.length).toBe(5);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'too_busy', retryAfterSeconds: 1 });
  });

  it('counts who waits until it is known where to connect', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const hosts = `127.0.0.1:${port},127.0.0.1:${port}`;
    const env = Object.assign(readEnv({}), { POSTGRES_CONNECT_TIMEOUT_MS: 1_000 });
    pool = createPool('app', `postgresql://somebody:secret@${hosts}/nowhere`, env);
    const callers = Array.from({ length: 3 }, () => pool.query('SELECT 1').catch((error: Error) => error));
    await once(silent, 'connection');
    expect([pool.waitingCount, pool.pendingCount]).toEqual([0, 3]);
    for (const outcome of await Promise.all(callers)) expect(outcome).toMatchObject({ code: 'database_unavailable' });
    expect(pool.pendingCount).toBe(0);
    silent.close();
  });

  it('lets nobody wait longer than the bound', async () => {
    open({ POSTGRES_POOL_SIZE: 1, POSTGRES_CONNECT_TIMEOUT_MS: 200 });
    await pool.query('SELECT 1');
    const held = await pool.connect();
    const start = performance.now();
    await expect(pool.query('SELECT 1')).rejects.toThrow('timeout exceeded');
    expect(performance.now() - start).toBeLessThan(1_000);
    held.release();
  });

  it('keeps its connection through SQL errors, in bare statements and on a leased connection', async () => {
    open({ POSTGRES_POOL_SIZE: 1 });
    const pid = await pidOf();
    for (let round = 0; round < 20; round += 1)
      await expect(pool.query('SELECT 1/0')).rejects.toMatchObject({ code: '22012' });
    const client = await pool.connect();
    const error = await client.query('SELECT nothing').catch((reason: Error) => reason);
    client.release(error as Error);
    expect(await pidOf()).toBe(pid);
  });

  it('drops a connection that the server has closed', async () => {
    open({ POSTGRES_POOL_SIZE: 1 });
    const pid = await pidOf();
    await database.query('admin', 'SELECT pg_terminate_backend($1)', [pid]);
    await untilTrue(() =>
      pidOf().then(
        (now) => now !== pid,
        () => false,
      ),
    );
  });

  it('cancels the statement of a caller who has gone, and keeps the connection', async () => {
    open({ POSTGRES_POOL_SIZE: 1 });
    const pid = await pidOf();
    const caller = new AbortController();
    const statement = whileWanted(caller.signal, () => pool.query(`SELECT pg_sleep(20) /* abandoned */`));
    const outcome = statement.catch((error: unknown) => error);
    await untilTrue(() => isRunning('abandoned'));
    caller.abort();
    expect(await outcome).toMatchObject({ code: '57014' });
    expect(await isRunning('abandoned')).toBe(false);
    expect(await pidOf()).toBe(pid);
  });

  it('begins nothing for a caller who has gone', async () => {
    open();
    await expect(whileWanted(AbortSignal.abort(), () => pool.query('SELECT 1'))).rejects.toMatchObject({
      name: 'AbortError',
    });
  });

  it('begins nothing more for a caller who goes between two statements, and ends his transaction', async () => {
    open({ POSTGRES_POOL_SIZE: 1 });
    const pid = await pidOf();
    const caller = new AbortController();
    const client = await whileWanted(caller.signal, () => pool.connect());
    await client.query('BEGIN');
    caller.abort();
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ name: 'AbortError' });
    await expect(client.query({ text: 'SELECT $1::int', values: [1] })).rejects.toMatchObject({ name: 'AbortError' });
    await client.query('ROLLBACK');
    client.release();
    expect(await pidOf()).toBe(pid);
  });

  it('gives up on a server that does not answer, and on its connection', async () => {
    open({ POSTGRES_POOL_SIZE: 1, POSTGRES_STATEMENT_TIMEOUT_MS: 100 });
    const client = await pool.connect();
    client.on('error', () => undefined);
    await client.query('SET statement_timeout = 0'); // the server's own bound would come first
    const start = performance.now();
    await expect(client.query('SELECT pg_sleep(20)')).rejects.toThrow('Query read timeout');
    await expect(client.query('SELECT 1')).rejects.toThrow(); // not another wait behind the first
    expect(performance.now() - start).toBeLessThan(4_000);
    client.release();
    expect(await pidOf()).toBeGreaterThan(0);
  });

  it('tells what happens', async () => {
    open({ POSTGRES_POOL_SIZE: 1, POSTGRES_MAX_WAITING: 1 });
    const waited: ConnectionWaited[] = [];
    const failed: StatementFailed[] = [];
    const counts = { created: 0, used: 0 };
    const stops = [
      connectionWaited.subscribe((event) => waited.push(event)),
      statementFailed.subscribe((event) => failed.push(event)),
      connectionCreated.subscribe(() => (counts.created += 1)),
      connectionUsed.subscribe(() => (counts.used += 1)),
    ];
    await Promise.allSettled([pool.query('SELECT pg_sleep(0.1)'), pool.query('SELECT 1'), pool.query('SELECT 1')]);
    await pool.query('SELECT 1/0').catch(() => undefined);
    for (const stop of stops) stop();
    expect(waited.map(({ outcome }) => outcome).sort()).toEqual(['ok', 'ok', 'ok', 'shed']);
    expect(failed).toEqual([{ pool: 'app', sqlState: '22012' }]);
    expect(counts).toEqual({ created: 1, used: 3 });
  });

  it('tells of a lost connection once, whatever is tried on it then, and of no statement whose caller has gone', async () => {
    open({ POSTGRES_POOL_SIZE: 1 });
    const failed: StatementFailed[] = [];
    const stop = statementFailed.subscribe((event) => failed.push(event));
    const client = await pool.connect();
    client.on('error', () => undefined);
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const underWay = client.query('SELECT pg_sleep(20)').catch((error: Error) => error);
    await database.query('admin', 'SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
    await underWay;
    await expect(client.query('ROLLBACK')).rejects.toThrow();
    client.release(true);
    expect(failed).toEqual([{ pool: 'app', sqlState: '57P01' }]);

    const caller = new AbortController();
    const statement = whileWanted(caller.signal, () => pool.query(`SELECT pg_sleep(20) /* unwanted */`));
    const outcome = statement.catch((error: unknown) => error);
    await untilTrue(() => isRunning('unwanted'));
    caller.abort();
    expect(await outcome).toMatchObject({ code: '57014' });
    stop();
    expect(failed).toHaveLength(1);
  });
});
