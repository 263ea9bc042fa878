import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { MetricsServer } from '../../src/monitoring/metrics-server';
import { MetricsService } from '../../src/monitoring/metrics.service';
import { createTestApp, newPassword, type TestApp } from '../support/app';
import { read } from '../support/documents/generated';
import { newDatabase } from '../support/postgres';
import { sendRaw } from '../support/raw-http';
import { Scrape, scrape, scraperOf } from '../support/scrape';

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

/** The names of recovery.md ("Metrics") and of issue 3, with their type. */
const PROMISED: Record<string, string> = {
  db_client_operation_duration_seconds: 'histogram',
  db_client_errors_total: 'counter',
  db_client_connection_count: 'gauge',
  db_client_connection_max: 'gauge',
  db_client_connection_pending_requests: 'gauge',
  db_client_connection_timeouts_total: 'counter',
  db_client_connection_shed_total: 'counter',
  db_client_connection_wait_time_seconds: 'histogram',
  db_client_connection_use_time_seconds: 'histogram',
  db_client_connection_create_time_seconds: 'histogram',
  http_server_request_duration_seconds: 'histogram',
  nodejs_eventloop_lag_seconds: 'gauge',
  nodejs_eventloop_lag_p99_seconds: 'gauge',
  sign_in_attempts_total: 'counter',
  access_denied_total: 'counter',
  tenant_requests_per_second: 'gauge',
  pg_up: 'gauge',
  pg_connections: 'gauge',
  pg_server_connections: 'gauge',
  pg_server_connections_max: 'gauge',
  pg_oldest_transaction_seconds: 'gauge',
  pg_lock_waits: 'gauge',
  pg_replication_lag_seconds: 'gauge',
  pg_replication_lag_bytes: 'gauge',
  pg_database_size_bytes: 'gauge',
  pg_table_size_bytes: 'gauge',
  pg_stat_user_tables_n_dead_tup: 'gauge',
  wal_archive_lag_bytes: 'gauge',
  wal_archive_ready_segments: 'gauge',
  wal_archive_failed_total: 'counter',
  backup_configured: 'gauge',
  backup_last_success_timestamp_seconds: 'gauge',
  backup_last_attempt_timestamp_seconds: 'gauge',
  backup_last_failure_timestamp_seconds: 'gauge',
  backup_runs_total: 'counter',
  backup_duration_seconds: 'gauge',
  backup_size_bytes: 'gauge',
  backup_coverage_start_timestamp_seconds: 'gauge',
  backup_coverage_end_timestamp_seconds: 'gauge',
  backup_repository_up: 'gauge',
  wal_archive_gap: 'gauge',
  wal_receiver_up: 'gauge',
  wal_receiver_lag_bytes: 'gauge',
  tenantry_build_info: 'gauge',
};

/** Seconds, in the order of recovery.md and of OpenTelemetry's conventions for HTTP. */
const DATABASE_BUCKETS = ['0.001', '0.005', '0.01', '0.05', '0.1', '0.5', '1', '5', '10', '+Inf'];
const HTTP_BUCKETS = '0.005 0.01 0.025 0.05 0.075 0.1 0.25 0.5 0.75 1 2.5 5 7.5 10 +Inf'.split(' ');

describe('GET /metrics', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app?.close());

  it('is for whoever has METRICS_TOKEN, and nobody else', async () => {
    const { headers } = await scraperOf(app).get('/metrics').expect(200);
    expect(headers).toMatchObject({ 'content-type': TEXT_FORMAT, 'cache-control': 'no-store' });
    const refused = await app.anonymous().get('/metrics').expectProblem(401, 'unauthenticated');
    expect(refused.headers['www-authenticate']).toMatch(/^Bearer/);
    await app.administrator.get('/metrics').expectProblem(401, 'unauthenticated');
    for (const wrong of [`Bearer ${newPassword()}`, 'Bearer', 'Basic eDp5', `Bearer ${'x'.repeat(4_000)}`])
      await app.anonymous().with({ authorization: wrong }).get('/metrics').expectProblem(401, 'unauthenticated');
  });

  it('has every promised metric with its HELP and TYPE, strictly in the text format', async () => {
    const { families } = await scrape(app);
    const types = Object.fromEntries([...families.values()].map(({ name, type }) => [name, type]));
    expect(types).toMatchObject(PROMISED);
    for (const { help } of families.values()) expect(help).toMatch(/\w/);
  });

  it('has nothing that docs/monitoring.md does not explain, and all that it does', async () => {
    const documented = [...read('docs/monitoring.md').matchAll(/^\| `(\w+)` \| (?:counter|gauge|histogram) \|/gm)];
    const { families } = await scrape(app);
    expect(new Set(families.keys())).toEqual(new Set(documented.map(([, name]) => name)));
  });

  it('has the buckets of OpenTelemetry', async () => {
    const now = await scrape(app);
    const bounds = (name: string): string[] => [...new Set(now.find(`${name}_bucket`).map(({ labels }) => labels.le!))];
    for (const name of Object.keys(PROMISED).filter((metric) => /^db_.*_seconds$/.test(metric)))
      expect([name, bounds(name)]).toEqual([name, DATABASE_BUCKETS]);
    expect(bounds('http_server_request_duration_seconds')).toEqual(HTTP_BUCKETS);
  });

  it('begins what alerts watch at 0, so that the first is seen as an increase', async () => {
    const now = await scrape(app);
    for (const pool of ['app', 'platform']) {
      for (const sqlstate_class of ['53', '57P', 'XX', 'connection'])
        expect(now.value('db_client_errors_total', { pool, sqlstate_class })).toBe(0);
      expect(now.value('db_client_connection_timeouts_total', { pool })).toBe(0);
      expect(now.value('db_client_connection_shed_total', { pool })).toBe(0);
    }
    expect(now.value('sign_in_attempts_total', { result: 'too_many_attempts' })).toBe(0);
  });

  it('tells which version runs', async () => {
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect((await scrape(app)).value('tenantry_build_info', { version })).toBe(1);
  });
});

describe('without METRICS_TOKEN', () => {
  it('there is no /metrics', async () => {
    const app = await createTestApp({ METRICS_TOKEN: undefined });
    try {
      await app.anonymous().get('/metrics').expectProblem(404, 'route_not_found');
      await app.administrator.get('/metrics').expectProblem(404, 'route_not_found');
      await app
        .anonymous()
        .with({ authorization: 'Bearer undefined' })
        .get('/metrics')
        .expectProblem(404, 'route_not_found');
    } finally {
      await app.close();
    }
  });
});

describe('METRICS_PORT', () => {
  const serverOf = (app: TestApp): string => `http://127.0.0.1:${app.nest.get(MetricsServer).port}`;

  it('serves the metrics there, and there alone', async () => {
    const app = await createTestApp({ METRICS_PORT: 0, METRICS_TOKEN: undefined });
    const url = serverOf(app);
    try {
      const { status, headers, text } = await sendRaw(url, '/metrics');
      expect([status, headers['content-type'], headers['cache-control']]).toEqual([200, TEXT_FORMAT, 'no-store']);
      expect(new Scrape(text).value('pg_up')).toBe(1);
      for (const [path, method] of [
        ['/', 'GET'],
        ['/metrics/', 'GET'],
        ['/health', 'GET'],
        ['/metrics', 'POST'],
      ] as const)
        expect([path, (await sendRaw(url, path, { method })).status]).toEqual([path, 404]);
      await app.anonymous().get('/metrics').expectProblem(404, 'route_not_found');
    } finally {
      await app.close();
    }
    await expect(sendRaw(url, '/metrics')).rejects.toThrow('ECONNREFUSED');
  });

  it('asks for METRICS_TOKEN there, too, when it is set', async () => {
    const token = newPassword();
    const app = await createTestApp({ METRICS_PORT: 0, METRICS_TOKEN: token });
    try {
      const statusOf = async (headers: Record<string, string>): Promise<number> =>
        (await sendRaw(serverOf(app), '/metrics', { headers })).status;
      expect(await statusOf({})).toBe(401);
      expect(await statusOf({ authorization: `Bearer ${newPassword()}` })).toBe(401);
      expect(await statusOf({ authorization: `Bearer ${token}` })).toBe(200);
      await scraperOf(app).get('/metrics').expectProblem(404, 'route_not_found');
    } finally {
      await app.close();
    }
  });

  it('that is taken stops the start and says so', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as { port: number };
    try {
      await expect(createTestApp({ METRICS_PORT: port })).rejects.toThrow('Set METRICS_PORT to a free one.');
    } finally {
      squatter.close();
    }
  });
});

describe('without a monitor login', () => {
  it('what PostgreSQL says about itself is left out, and the rest is there', async () => {
    const database = await newDatabase();
    const env = readEnv({ NODE_ENV: 'test', SECRET_KEY: randomBytes(32).toString('base64') });
    const { app, platform } = database.urls;
    const nest = await createApp(env, { app, platform }, false);
    try {
      const names = [...new Scrape(await nest.get(MetricsService).read()).families.keys()];
      // What the backup login has found out of the log stands there without the monitor's.
      const ofTheServer = (name: string): boolean => /^(pg_|wal_(?!receiver|archive_gap))/.test(name);
      expect(names.filter(ofTheServer)).toEqual([]);
      const promised = Object.keys(PROMISED).filter((name) => !ofTheServer(name));
      expect(names).toEqual(expect.arrayContaining(promised));
    } finally {
      await nest.close();
      await database.drop();
    }
  });
});
