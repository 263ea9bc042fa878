import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { Pools } from '../../src/database/pools';
import { createTestApp, type TestApp } from '../support/app';
import { newTenantWithOwner } from '../support/tenant';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const OK = { status: 'ok' };

describe('the probes', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ POSTGRES_POOL_SIZE: 2 });
  });
  afterAll(() => app.close());

  it.each(['live', 'ready', 'startup'])('/health/%s tells anybody the status, and nothing else', async (name) => {
    await app.anonymous().get(`/health/${name}`).expect(200, OK);
  });

  it('/health tells platform administrators everything, and nobody else', async () => {
    const pool = { status: 'up', used: expect.any(Number) as number, idle: expect.any(Number) as number, waiting: 0 };
    const connection = { status: 'up', responseTime: expect.any(Number) as number };
    const { body } = await app.administrator.get<{ details: object }>('/health').expect(200);
    expect(body).toMatchObject({
      status: 'ok',
      details: {
        lifecycle: { status: 'up' },
        connection_app: connection,
        connection_platform: connection,
        pool_app: { ...pool, max: 2 },
        pool_platform: { ...pool, max: 3 },
        migrations: { status: 'up', pending: [], failed: [] },
      },
    });
    expect(JSON.stringify(body)).not.toMatch(/postgres(ql)?:|tenantry_app|password/);
    const { owner } = await newTenantWithOwner(app);
    await owner.get('/health').expectProblem(403, 'permission_missing');
    await app.anonymous().get('/health').expectProblem(401, 'unauthenticated');
  });

  it('/health/ready says no while more callers wait than there are connections', async () => {
    const { app: pool } = app.nest.get(Pools);
    const held = await Promise.all([pool.connect(), pool.connect()]);
    const waiting = [1, 2, 3].map(() => pool.query('SELECT 1'));
    await app.anonymous().get('/health/ready').expectProblem(503, 'not_ready');
    await app.anonymous().get('/health/live').expect(200, OK);
    for (const client of held) client.release();
    await Promise.all(waiting);
    await app.anonymous().get('/health/ready').expect(200, OK);
  });
});

describe('a database that lacks a migration', () => {
  it('makes an instance not ready, and leaves it alive', async () => {
    const app = await createTestApp();
    await app.database.query(
      'admin',
      `UPDATE public._prisma_migrations SET rolled_back_at = now() WHERE migration_name = (SELECT max(migration_name) FROM public._prisma_migrations)`,
    );
    await app.anonymous().get('/health/ready').expectProblem(503, 'not_ready');
    await app.anonymous().get('/health/live').expect(200, OK);
    await app.close();
  });
});

describe('an instance whose server stops', () => {
  let directory: string;
  let database: EmbeddedDatabase;
  let nest: NestFastifyApplication;
  let url: string;

  beforeAll(async () => {
    directory = makeTestDirectory();
    database = await startEmbeddedDatabase(directory);
    const env = Object.assign(readEnv({ NODE_ENV: 'test', DATA_DIR: directory }), {
      SECRET_KEY: randomBytes(32).toString('base64'),
    });
    nest = await createApp(env, database.urls, false);
    await nest.listen(0, '127.0.0.1');
    url = await nest.getUrl();
  }, 60_000);
  afterAll(async () => {
    await nest.close();
    await database.stop();
    removeTestDirectory(directory);
  });

  const statusOf = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status;

  it('is alive and not ready, answers 503, and comes back by itself', async () => {
    expect(await statusOf('/health/ready')).toBe(200);
    await database.stop();
    await new Promise((resolve) => setTimeout(resolve, 600)); // a probe's answer is kept for half a second
    expect(await statusOf('/health/live')).toBe(200);
    expect(await statusOf('/health/ready')).toBe(503);
    const login = await fetch(`${url}/v1/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'ada@example.com', password: 'whatever it may be' }),
    });
    expect({ status: login.status, retryAfter: login.headers.get('retry-after') }).toEqual({
      status: 503,
      retryAfter: expect.any(String) as string,
    });
    expect(await login.json()).toMatchObject({ code: 'database_unavailable' });
    database = await startEmbeddedDatabase(directory);
    let ready = 0;
    for (let attempt = 0; attempt < 40 && ready !== 200; attempt += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      ready = await statusOf('/health/ready');
    }
    expect(ready).toBe(200);
  }, 60_000);
});

describe('an instance that stops', () => {
  it('finishes what is under way', async () => {
    const app = await createTestApp();
    const { tenant, owner } = await newTenantWithOwner(app);
    const client = await app.database.connect('admin');
    await client.query('BEGIN');
    await client.query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenant.id]);
    const path = `/v1/tenants/${tenant.id}`;
    const underWay = fetch(`${app.target.url}${path}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${owner.tokens.accessToken}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'Finished' }),
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    const closed = app.nest.close();
    await client.query('COMMIT');
    await client.end();
    expect((await underWay).status).toBe(200);
    await closed;
    await app.close();
  });
});
