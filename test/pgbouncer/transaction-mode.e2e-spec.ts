import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { newId } from '../../src/common/id';
import { readEnv } from '../../src/config/env';
import { whileWanted } from '../../src/database/abandonment';
import { assertRestrictedLogins } from '../../src/database/login-check';
import type { TenantTx } from '../../src/database/tenant-db';
import { type Doors, openDoors } from '../support/doors';
import { eventually } from '../support/eventually';
import { OwnInstance } from '../support/own-instance';
import { pgBouncerProgram, SERVER_CONNECTIONS } from '../support/pgbouncer';
import { newDatabase, type TestDatabase } from '../support/postgres';

const POOL_SIZE = 20;
/** What stands with the roles; the application itself is told more, so that nothing else can end a statement. */
const TIMEOUTS = {
  POSTGRES_STATEMENT_TIMEOUT_MS: 1_000,
  POSTGRES_LOCK_TIMEOUT_MS: 500,
  POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS: 500,
};
const LATER = {
  POSTGRES_STATEMENT_TIMEOUT_MS: 60_000,
  POSTGRES_LOCK_TIMEOUT_MS: 60_000,
  POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS: 60_000,
};

beforeAll(() => {
  if (!pgBouncerProgram()) throw new Error('These specs need PgBouncer before the server: npm run test:pgbouncer');
});

describe('a database behind PgBouncer in transaction mode', () => {
  let database: TestDatabase;
  let doors: Doors;
  const tenantId = newId();

  beforeAll(async () => {
    database = await newDatabase();
    await database.query('admin', 'CREATE TABLE public.shared (id int)');
    await database.query('admin', 'GRANT ALL ON public.shared TO tenantry_app');
    doors = await openDoors(database.urls, { POSTGRES_POOL_SIZE: POOL_SIZE });
  });
  afterAll(async () => {
    await doors?.close();
    await database?.drop();
  });

  const run = <Result>(work: (tx: TenantTx) => Promise<Result>): Promise<Result> => doors.tenants.run(tenantId, work);
  /** How many statements with this text are under way in the server. */
  const running = async (text: string): Promise<number> =>
    (
      await database.query(
        'admin',
        `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%' || $1 || '%' AND pid <> pg_backend_pid()`,
        [text],
      )
    ).length;

  it('has many clients share few connections of the server, and leaves no prepared statement on them', async () => {
    const seen = await Promise.all(
      Array.from({ length: POOL_SIZE }, () =>
        run(async (tx) => {
          await tx.tenant.findMany({ where: { id: tenantId } });
          const [row] = await tx.$queryRaw<{ pid: number; prepared: number }[]>`
            SELECT pg_backend_pid() AS pid, (SELECT count(*)::int FROM pg_prepared_statements) AS prepared`;
          return row!;
        }),
      ),
    );
    expect(doors.pools.app.totalCount).toBeGreaterThan(SERVER_CONNECTIONS);
    expect(new Set(seen.map(({ pid }) => pid)).size).toBeLessThanOrEqual(SERVER_CONNECTIONS);
    expect(new Set(seen.map(({ prepared }) => prepared))).toEqual(new Set([0]));
    const connections = `SELECT FROM pg_stat_activity WHERE datname = $1 AND usename = 'tenantry_app'`;
    const { length } = await database.query('admin', connections, [database.name]);
    expect(length).toBeLessThanOrEqual(SERVER_CONNECTIONS);
  });

  it('cancels the statement of a caller who has gone, and nobody else’s', async () => {
    const caller = new AbortController();
    const abandoned = whileWanted(caller.signal, () =>
      run((tx) => tx.$queryRaw`SELECT pg_sleep(8)::text AS abandoned`),
    );
    const outcome = abandoned.catch((error: unknown) => error);
    const kept = run((tx) => tx.$queryRaw`SELECT pg_sleep(2)::text AS kept`);
    await eventually(async () => expect([await running('abandoned'), await running('kept')]).toEqual([1, 1]));
    caller.abort();
    expect(await outcome).toMatchObject({
      cause: { meta: { driverAdapterError: { cause: { originalCode: '57014' } } } },
    });
    expect(await running('abandoned')).toBe(0);
    await expect(kept).resolves.toEqual([{ kept: '' }]);
  });

  it('gives up what still waits for a connection of the server when its caller goes', async () => {
    const others = Array.from({ length: SERVER_CONNECTIONS }, () =>
      run((tx) => tx.$queryRaw`SELECT pg_sleep(2)::text AS holding`),
    );
    await eventually(async () => expect(await running('holding')).toBe(SERVER_CONNECTIONS));
    const caller = new AbortController();
    const waiting = whileWanted(caller.signal, () => run((tx) => tx.$executeRaw`INSERT INTO public.shared VALUES (1)`));
    const outcome = waiting.catch((error: unknown) => error);
    await sleep(200);
    caller.abort();
    expect(await outcome).toMatchObject({ code: 'request_abandoned' });
    await Promise.all(others);
    expect(await database.query('admin', 'SELECT FROM public.shared')).toHaveLength(0);
  });

  it('says too_busy when no connection of the server is free within PgBouncer’s bound', async () => {
    const others = Array.from({ length: SERVER_CONNECTIONS }, () =>
      run((tx) => tx.$queryRaw`SELECT pg_sleep(6)::text AS holding`),
    );
    await eventually(async () => expect(await running('holding')).toBe(SERVER_CONNECTIONS));
    await expect(run((tx) => tx.$queryRaw`SELECT 1`)).rejects.toMatchObject({
      code: 'too_busy',
      cause: { message: expect.stringContaining('query_wait_timeout') as string },
    });
    await Promise.all(others);
    await expect(run((tx) => tx.$queryRaw`SELECT 1 AS one`)).resolves.toEqual([{ one: 1 }]);
  });
});

describe('the timeouts that stand with the logins', () => {
  let database: TestDatabase;
  let doors: Doors;

  beforeAll(async () => {
    database = await newDatabase({ timeouts: TIMEOUTS });
    await database.query('admin', 'CREATE TABLE public.shared (id int)');
    await database.query('admin', 'GRANT ALL ON public.shared TO tenantry_app, tenantry_platform');
    doors = await openDoors(database.urls, LATER);
  });
  afterAll(async () => {
    await doors?.close();
    await database?.drop();
  });

  const doorOf = {
    app: <Result>(work: (tx: Pick<TenantTx, '$queryRaw'>) => Promise<Result>) => doors.tenants.run(newId(), work),
    platform: <Result>(work: (tx: Pick<TenantTx, '$queryRaw'>) => Promise<Result>) => doors.platform.run(work),
  };

  describe.each(['app', 'platform'] as const)('hold for the %s login, to whom PgBouncer passes no others', (login) => {
    it('a statement that takes too long', async () => {
      await expect(doorOf[login]((tx) => tx.$queryRaw`SELECT pg_sleep(20)::text`)).rejects.toMatchObject({
        code: 'database_timeout',
        cause: { meta: { driverAdapterError: { cause: { originalCode: '57014' } } } },
      });
    });

    it('a lock that is waited for too long', async () => {
      await database.inTransaction('admin', undefined, async (other) => {
        await other.query('LOCK TABLE public.shared IN ACCESS EXCLUSIVE MODE');
        await expect(doorOf[login]((tx) => tx.$queryRaw`SELECT id FROM public.shared`)).rejects.toMatchObject({
          code: 'database_timeout',
          cause: { meta: { driverAdapterError: { cause: { originalCode: '55P03' } } } },
        });
      });
    });

    it('a transaction that does nothing for too long', async () => {
      const idle = doorOf[login](async (tx) => {
        await tx.$queryRaw`SELECT 1`;
        await sleep(2 * TIMEOUTS.POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS);
        return tx.$queryRaw`SELECT 2`;
      });
      await expect(idle).rejects.toMatchObject({
        code: expect.stringMatching(/^database_(timeout|unavailable)$/) as string,
      });
      await expect(doorOf[login]((tx) => tx.$queryRaw`SELECT 1 AS one`)).resolves.toEqual([{ one: 1 }]);
    });
  });
});

describe('a start behind PgBouncer', () => {
  const env = Object.assign(readEnv({ NODE_ENV: 'test' }), { POSTGRES_LOCK_TIMEOUT_MS: 1_234 });
  const databases: TestDatabase[] = [];
  let warn: jest.SpyInstance<void, [message: string]>;
  beforeAll(async () => databases.push(await newDatabase({ timeouts: env }), await newDatabase()));
  beforeEach(() => {
    warn = jest.spyOn(Logger.prototype, 'warn').mockReturnValue(undefined) as unknown as typeof warn;
  });
  afterEach(() => warn.mockRestore());
  afterAll(() => Promise.all(databases.map((database) => database.drop())));

  it('says nothing of timeouts that db:bootstrap has set as they are configured', async () => {
    await assertRestrictedLogins(databases[0]!.urls, env);
    expect(warn).not.toHaveBeenCalled();
  });

  it('warns of those that are not', async () => {
    const { name, urls } = databases[1]!;
    await databases[1]!.query('admin', `ALTER ROLE tenantry_platform IN DATABASE ${name} RESET statement_timeout`);
    await assertRestrictedLogins(urls, env);
    const lock = 'lock_timeout is 5000 (POSTGRES_LOCK_TIMEOUT_MS: 1234)';
    const statement = 'statement_timeout is off (POSTGRES_STATEMENT_TIMEOUT_MS: 10000)';
    expect(warn.mock.calls.map(([message]) => message.split(': a pooler')[0])).toEqual([
      `On connections of POSTGRES_URL ${lock}`,
      `On connections of POSTGRES_PLATFORM_URL ${statement}, ${lock}`,
    ]);
  });
});

describe('an instance behind PgBouncer', () => {
  let instance: OwnInstance;
  beforeAll(async () => {
    instance = await OwnInstance.start();
  });
  afterAll(() => instance?.stop());

  // That it survives the server behind, health.e2e-spec.ts shows in the same run.
  it('is ready again by itself when PgBouncer has been restarted', async () => {
    await instance.expectServing();
    await instance.server.bouncer!.restart();
    await eventually(() => instance.expectServing());
  });
});
