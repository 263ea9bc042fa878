import { Pools } from '../../src/database/pools';
import { HEALTH_EXAMPLE } from '../../src/health/health.example';
import { HealthService } from '../../src/health/health.service';
import { Lifecycle } from '../../src/http/lifecycle';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { OwnInstance } from '../support/own-instance';
import { newTenant, newTenantWithOwner } from '../support/tenant';

const PROBES = ['/health/live', '/health/ready', '/health/startup'];
const OK = { status: 'ok' };

afterEach(() => jest.restoreAllMocks());

describe('the health of an instance that serves', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app?.close());

  it.each(PROBES)('is told to everybody as a status alone: %s', async (path) => {
    await app.anonymous().get(path).expect(200, OK);
  });

  it('is told in detail to platform administrators', async () => {
    const up = { status: 'up' };
    const { body } = await app.administrator.get('/health').expect(200);
    expect(body).toEqual({
      status: 'ok',
      details: {
        lifecycle: up,
        connection_app: expect.objectContaining(up),
        connection_platform: expect.objectContaining(up),
        pool_app: { ...up, used: expect.any(Number), idle: expect.any(Number), waiting: 0, max: 10 },
        pool_platform: { ...up, used: expect.any(Number), idle: expect.any(Number), waiting: 0, max: 3 },
        migrations: expect.objectContaining({ ...up, pending: [], failed: [], edited: [] }),
        error_rate: expect.objectContaining({ ...up, windowSeconds: 300 }),
        replication_lag: { ...up, standbys: [] },
        server_activity: expect.objectContaining({ ...up, lockWaits: 0, archive: 'off' }),
        disk_growth: { ...up, message: 'not configured' },
        backup_age: { ...up, message: 'not configured' },
        backup_drill: { ...up, message: 'not configured' },
      },
    });
    for (const url of Object.values(app.database.urls)) {
      expect(JSON.stringify(body)).not.toContain(new URL(url).password);
      expect(JSON.stringify(body)).not.toContain(new URL(url).host);
    }
  });

  it('is as the example of the OpenAPI document shows it, check by check', async () => {
    type Details = Record<string, Record<string, object>>;
    const { details } = (await app.administrator.get<{ details: Details }>('/health').expect(200)).body;
    const example = HEALTH_EXAMPLE as unknown as Details;
    const namesIn = (values: object): string[] => Object.keys(values).toSorted((a, b) => (a < b ? -1 : 1));
    expect(namesIn(example)).toEqual(namesIn(details));
    for (const [check, found] of Object.entries(details)) {
      if ('message' in found) continue; // nothing to look at here
      const { cachedResponse: _cachedResponse, ...always } = found;
      expect([check, namesIn(example[check]!)]).toEqual([check, namesIn(always)]);
    }
    for (const part of ['http', 'database'])
      expect(namesIn(example.error_rate![part]!)).toEqual(namesIn(details.error_rate![part]!));
  });

  it('is told in detail to nobody else', async () => {
    const { owner } = await newTenantWithOwner(app);
    await owner.get('/health').expectProblem(403, 'permission_missing');
    await app.anonymous().get('/health').expectProblem(401, 'unauthenticated');
  });
});

describe('an instance whose database lacks a migration', () => {
  it.each([
    ['that was never applied', 'DELETE FROM public._prisma_migrations WHERE migration_name = $1'],
    ['that was rolled back', 'UPDATE public._prisma_migrations SET rolled_back_at = now() WHERE migration_name = $1'],
    ['that failed', 'UPDATE public._prisma_migrations SET finished_at = NULL WHERE migration_name = $1'],
  ])('%s is alive and not ready', async (_, sql) => {
    const app = await createTestApp();
    try {
      const [last] = await app.database.query<{ name: string }>(
        'admin',
        'SELECT max(migration_name) AS name FROM public._prisma_migrations',
      );
      await app.database.query('admin', sql, [last!.name]);
      const { body } = await app.anonymous().get('/health/ready').expectProblem(503, 'not_ready');
      expect(JSON.stringify(body)).not.toContain(last!.name);
      await app.anonymous().get('/health/live').expect(200, OK);
      const detail = await app.administrator.get('/health').expect(200);
      expect(detail.body).toMatchObject({
        status: 'error',
        details: { migrations: { status: 'down' }, connection_app: { status: 'up' } },
      });
    } finally {
      await app.close();
    }
  });
});

describe('an instance whose connections', () => {
  const POOL_SIZE = 5;
  let app: TestApp;
  let pool: Pools['app'];
  beforeAll(async () => {
    app = await createTestApp({ POSTGRES_POOL_SIZE: POOL_SIZE, POSTGRES_MAX_WAITING: POOL_SIZE + 1 });
    pool = app.nest.get(Pools).app;
  });
  afterAll(() => app?.close());

  /** Takes connections, now or as soon as there are any. */
  const take = (count: number) => Array.from({ length: count }, () => pool.connect());
  const giveBack = async (taken: ReturnType<typeof take>): Promise<void> => {
    for (const connection of taken) (await connection).release();
  };

  it('are mostly in use is degraded, and ready', async () => {
    const taken = take(4);
    try {
      await Promise.all(taken);
      await app.anonymous().get('/health/ready').expect(200, OK);
      expect(await app.nest.get(HealthService).detail()).toMatchObject({
        status: 'degraded',
        details: { pool_app: { status: 'degraded', max: POOL_SIZE, waiting: 0 } },
      });
    } finally {
      await giveBack(taken);
    }
  });

  it('are all in use, with as many callers waiting as may, is alive and not ready until they are free', async () => {
    const taken = take(2 * POOL_SIZE + 1);
    try {
      await app.anonymous().get('/health/ready').expectProblem(503, 'not_ready');
      await app.anonymous().get('/health/live').expect(200, OK);
      expect(await app.nest.get(HealthService).detail()).toMatchObject({
        status: 'error',
        details: { pool_app: { status: 'down', used: POOL_SIZE, idle: 0, max: POOL_SIZE } },
      });
    } finally {
      await giveBack(taken);
    }
    await eventually(async () => app.anonymous().get('/health/ready').expect(200, OK));
  });
});

describe('an instance whose database goes away', () => {
  let instance: OwnInstance;
  beforeAll(async () => {
    instance = await OwnInstance.start();
  });
  afterAll(() => instance?.stop());

  it('is alive, says that it is not ready, and recovers by itself when it is back', async () => {
    const { client, server } = instance;
    await instance.expectServing();
    await server.stop();
    await eventually(async () => client.get('/health/ready').expectProblem(503, 'not_ready'));
    await client.get('/health/live').expect(200, OK);
    await client.get('/health/startup').expect(200, OK);
    const { headers } = await instance.signIn().expectProblem(503, 'database_unavailable');
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);

    await server.startAgain();
    await eventually(() => instance.expectServing());
  });

  it('is alive and recovers by itself when it is killed under it', async () => {
    await instance.expectServing();
    instance.server.kill();
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await instance.signIn()).status));
    for (const status of statuses) expect([401, 503]).toContain(status);
    await instance.client.get('/health/live').expect(200, OK);
    await eventually(() => instance.expectServing());
  });
});

describe('an instance that is told to stop', () => {
  it('is not ready from then on, and finishes what is under way', async () => {
    // The request under way waits for a lock as long as the test needs, on a busy machine too.
    const patience = { POSTGRES_LOCK_TIMEOUT_MS: 25_000, POSTGRES_STATEMENT_TIMEOUT_MS: 25_000 };
    const app = await createTestApp(patience);
    const { tenant, owner } = await newTenantWithOwner(app);
    const lock = await app.database.connect('admin');
    let closing: Promise<void> | undefined;
    try {
      await lock.query('BEGIN');
      await lock.query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenant.id]);
      const underWay = owner.patch(`/v1/tenants/${tenant.id}`, { name: 'In time' }).expect(200);
      const finished = underWay.then(({ body }) => body.name as string);
      await eventually(async () => {
        const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1`;
        expect(await app.database.query('admin', waiting, [app.database.name])).toHaveLength(1);
      });

      await app.nest.get(Lifecycle).leave(); // as main.ts does; it listens still
      await app.anonymous().get('/health/ready').expectProblem(503, 'not_ready');
      await app.anonymous().get('/health/startup').expectProblem(503, 'not_ready');
      await app.anonymous().get('/health/live').expect(200, OK);

      closing = app.nest.close();
      await eventually(() => expect(fetch(app.target.url)).rejects.toThrow('fetch failed'));
      await lock.query('ROLLBACK');
      expect(await finished).toBe('In time');
      await closing;
    } finally {
      await lock.end();
      await closing;
      await app.close();
    }
  });

  it('records in the audit trail what it refuses to a request under way', async () => {
    const app = await createTestApp({ POSTGRES_LOCK_TIMEOUT_MS: 25_000, POSTGRES_STATEMENT_TIMEOUT_MS: 25_000 });
    const { tenant, viewer } = await newTenant(app);
    const lock = await app.database.connect('admin');
    let closing: Promise<void> | undefined;
    try {
      await lock.query('BEGIN; LOCK TABLE identity.sessions IN ACCESS EXCLUSIVE MODE');
      const refused = viewer
        .patch(`/v1/tenants/${tenant.id}`, { name: 'Mine' })
        .expectProblem(403, 'permission_missing')
        .then(() => undefined);
      await eventually(async () => {
        const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1`;
        expect(await app.database.query('admin', waiting, [app.database.name])).toHaveLength(1);
      });
      closing = app.nest.close();
      await eventually(() => expect(fetch(app.target.url)).rejects.toThrow('fetch failed'));
      await lock.query('ROLLBACK');
      await refused;
      await closing;
      const denials = `SELECT action FROM audit.events WHERE tenant_id = $1 AND action = 'access.denied'`;
      expect(await app.database.query('admin', denials, [tenant.id])).toHaveLength(1);
    } finally {
      await lock.end();
      await closing;
      await app.close();
    }
  });
});
