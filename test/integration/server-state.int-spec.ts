import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { MonitorDb } from '../../src/database/monitor-db';
import { HealthService } from '../../src/health/health.service';
import { ActivityRepository } from '../../src/monitoring/activity.repository';
import { MetricsService } from '../../src/monitoring/metrics.service';
import { ReplicationRepository } from '../../src/monitoring/replication.repository';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { ReplicatedPair } from '../support/replicated-pair';
import { Scrape } from '../support/scrape';

const SERVERS_TIMEOUT_MS = 60_000; // to start them
const SEGMENT_BYTES = 16 * 1024 * 1024;

describe('the activity of a server', () => {
  let database: TestDatabase;
  let monitor: MonitorDb;
  let activity: ActivityRepository;
  const clients: pg.Client[] = [];
  beforeAll(async () => {
    database = await newDatabase();
    monitor = new MonitorDb(database.urls.monitor);
    activity = new ActivityRepository(monitor);
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
  });
  afterAll(async () => {
    await monitor?.onApplicationShutdown();
    await database?.drop();
  });

  const connect = async (login: 'app' | 'platform' | 'admin'): Promise<pg.Client> => {
    const client = await database.connect(login);
    clients.push(client);
    return client;
  };
  const connectionsOf = async (...logins: string[]) =>
    (await activity.read()).connections.filter(({ login }) => logins.includes(login));

  it('tells who is connected, by login and state', async () => {
    const open = await connect('app');
    await connect('app');
    await connect('app');
    await connect('platform');
    await open.query('BEGIN');
    await eventually(async () =>
      expect(await connectionsOf('tenantry_app', 'tenantry_platform')).toEqual([
        { login: 'tenantry_app', state: 'idle', count: 2 },
        { login: 'tenantry_app', state: 'idle in transaction', count: 1 },
        { login: 'tenantry_platform', state: 'idle', count: 1 },
      ]),
    );
    await open.query('ROLLBACK');
  });

  it('tells how many connections the server has, and may have', async () => {
    const { serverConnections, serverConnectionsMax } = await activity.read();
    const [max] = await database.query<{ max: number }>(
      'admin',
      `SELECT current_setting('max_connections')::int AS max`,
    );
    expect(serverConnectionsMax).toBe(max!.max);
    expect(serverConnections).toBeGreaterThanOrEqual(1);
    expect(serverConnections).toBeLessThanOrEqual(max!.max);
  });

  it('tells the age of the oldest transaction, and 0 when there is none', async () => {
    expect(await activity.read()).toMatchObject({ oldestTransactionSeconds: 0 });
    const client = await connect('app');
    const beforeBegin = performance.now();
    await client.query('BEGIN');
    const afterBegin = performance.now();
    await client.query('SELECT pg_sleep(0.2)');
    await (await connect('platform')).query('BEGIN'); // a younger one
    const earliest = (performance.now() - afterBegin) / 1000;
    const { oldestTransactionSeconds } = await activity.read();
    const latest = (performance.now() - beforeBegin) / 1000;
    expect(oldestTransactionSeconds).toBeGreaterThanOrEqual(earliest);
    expect(oldestTransactionSeconds).toBeLessThanOrEqual(latest);
  });

  it("counts who waits for another's lock", async () => {
    const [holder, first, second] = [await connect('admin'), await connect('admin'), await connect('admin')];
    expect(await activity.read()).toMatchObject({ lockWaits: 0 });
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE app.tenants');
    const waiting = [first.query('SELECT FROM app.tenants')];
    await eventually(async () => expect(await activity.read()).toMatchObject({ lockWaits: 1 }));
    waiting.push(second.query('SELECT FROM app.tenants'));
    await eventually(async () => expect(await activity.read()).toMatchObject({ lockWaits: 2 }));
    await holder.query('ROLLBACK');
    await Promise.all(waiting);
    expect(await activity.read()).toMatchObject({ lockWaits: 0 });
  });
});

describe('the archive of the write-ahead log', () => {
  let server: OwnServer;
  let admin: pg.Client;
  let monitor: MonitorDb;
  let replication: ReplicationRepository;
  beforeAll(async () => {
    server = await OwnServer.start({ archive_mode: 'on', archive_command: 'false' });
    admin = new pg.Client({ connectionString: server.adminUrl() });
    await admin.connect();
    monitor = new MonitorDb(server.urls.monitor);
    replication = new ReplicationRepository(monitor);
  }, SERVERS_TIMEOUT_MS);
  afterAll(async () => {
    await admin?.end();
    await monitor?.onApplicationShutdown();
    await server?.remove();
  });

  /** Fills a segment, as far as the archiver is concerned. */
  const endSegment = async (): Promise<void> => {
    await admin.query(`SELECT pg_logical_emit_message(false, 'test', 'a')`);
    await admin.query('SELECT pg_switch_wal()');
  };

  it('is behind, and says by how much, when its command fails from the first segment on', async () => {
    expect(await replication.readArchive()).toEqual({ failed: 0, readySegments: 0, lagBytes: null });
    await endSegment();
    await endSegment();
    const behind = await eventually(async () => {
      const archive = await replication.readArchive();
      expect(archive).toMatchObject({ readySegments: 2 });
      expect(archive!.failed).toBeGreaterThan(0);
      return archive!;
    });
    expect(behind.lagBytes).toBeGreaterThanOrEqual(2 * SEGMENT_BYTES);
    expect(behind.lagBytes).toBeLessThan(3 * SEGMENT_BYTES);
  });

  it('is told at /health and by the metrics', async () => {
    const env = readEnv({ NODE_ENV: 'test', SECRET_KEY: randomBytes(32).toString('base64') });
    const nest = await createApp(env, server.urls, false);
    try {
      const { details } = await nest.get(HealthService).detail();
      expect(details.server_activity).toMatchObject({ archive: { readySegments: 2 } });
      const now = new Scrape(await nest.get(MetricsService).read());
      expect(now.value('wal_archive_ready_segments')).toBe(2);
      expect(now.value('wal_archive_failed_total')).toBeGreaterThan(0);
      expect(now.value('wal_archive_lag_bytes')).toBeGreaterThanOrEqual(2 * SEGMENT_BYTES);
    } finally {
      await nest.close();
    }
  });

  it('catches up when its command works again', async () => {
    await admin.query(`ALTER SYSTEM SET archive_command = 'true'`);
    await admin.query('SELECT pg_reload_conf()');
    await endSegment(); // wakes the archiver
    await eventually(async () => {
      const archive = await replication.readArchive();
      expect(archive).toMatchObject({ readySegments: 0 });
      expect(archive!.lagBytes).toBeLessThan(SEGMENT_BYTES);
    });
  });

  it('is nothing to tell of when it is off', async () => {
    const database = await newDatabase({ empty: true });
    const other = new MonitorDb(database.urls.monitor);
    expect(await new ReplicationRepository(other).readArchive()).toBeUndefined();
    await other.onApplicationShutdown();
    await database.drop();
  });
});

describe('a server that goes away', () => {
  it(
    'is said to be down by the metrics, which leave out what they cannot know, and up when it is back',
    async () => {
      const server = await OwnServer.start();
      const env = readEnv({ NODE_ENV: 'test', SECRET_KEY: randomBytes(32).toString('base64') });
      const nest = await createApp(env, server.urls, false);
      const scrape = async (): Promise<Scrape> => new Scrape(await nest.get(MetricsService).read());
      const ofTheServer = (now: Scrape): string[] => now.series.filter((series) => /^(pg|wal)_/.test(series));
      try {
        expect(ofTheServer(await scrape())).toEqual(expect.arrayContaining(['pg_up{}', 'pg_server_connections{}']));
        await server.stop();
        await eventually(async () => {
          const now = await scrape();
          expect(now.value('pg_up')).toBe(0);
          expect(now.find('pg_connections')).toEqual([]);
          expect(now.find('pg_server_connections')).toEqual([]);
          expect(now.value('nodejs_eventloop_lag_seconds')).toBeDefined();
          expect(now.value('db_client_connection_max', { pool: 'app' })).toBe(env.POSTGRES_POOL_SIZE);
        });
        // Each reading is kept for seconds, and of its own age.
        await eventually(async () => {
          const { details } = await nest.get(HealthService).detail();
          expect(details).toMatchObject({
            server_activity: { status: 'degraded', message: 'cannot be read' },
            replication_lag: { status: 'degraded', message: 'cannot be read' },
          });
        });
        await server.startAgain();
        await eventually(async () => expect((await scrape()).value('pg_up')).toBe(1));
      } finally {
        await nest.close();
        await server.remove();
      }
    },
    SERVERS_TIMEOUT_MS,
  );
});

describe('a standby', () => {
  let pair: ReplicatedPair;
  let monitors: { primary: MonitorDb; standby: MonitorDb };
  beforeAll(async () => {
    pair = await ReplicatedPair.start();
    monitors = {
      primary: new MonitorDb(pair.urlOf('monitor', [pair.primary])),
      standby: new MonitorDb(pair.urlOf('monitor', [pair.standby])),
    };
  }, SERVERS_TIMEOUT_MS);
  afterAll(async () => {
    await Promise.all(Object.values(monitors ?? {}).map((monitor) => monitor.onApplicationShutdown()));
    await pair?.stop();
  });

  const lagSeenBy = (monitor: MonitorDb) => new ReplicationRepository(monitor).readStandbys();
  const write = () => pair.query(pair.primary, `SELECT pg_logical_emit_message(true, 'test', repeat('x', 10000))`);
  const replay = (does: 'pause' | 'resume') => pair.query(pair.standby, `SELECT pg_wal_replay_${does}()`);

  it('that follows is told of with no lag, by both', async () => {
    await eventually(async () => {
      expect(await lagSeenBy(monitors.primary)).toEqual([
        { standby: 'standby', seconds: expect.any(Number), bytes: 0 },
      ]);
      expect(await lagSeenBy(monitors.standby)).toEqual([{ standby: 'this server', seconds: 0, bytes: 0 }]);
    });
  });

  it('that does not replay falls behind, is degraded at /health beyond the bound, and catches up', async () => {
    const env = readEnv({ NODE_ENV: 'test', SECRET_KEY: randomBytes(32).toString('base64') });
    Object.assign(env, { REPLICATION_LAG_DEGRADED_SECONDS: 1 });
    const [app, platform, monitor] = (['app', 'platform', 'monitor'] as const).map((login) =>
      pair.urlOf(login, [pair.primary]),
    );
    const nest = await createApp(env, { app: app!, platform: platform!, monitor }, false);
    const detail = async () => (await nest.get(HealthService).detail()).details.replication_lag;
    try {
      await replay('pause');
      await eventually(async () => {
        await write();
        const [[ofPrimary], [ofStandby]] = [await lagSeenBy(monitors.primary), await lagSeenBy(monitors.standby)];
        expect(ofPrimary!.bytes).toBeGreaterThan(10_000);
        expect(ofPrimary!.seconds).toBeGreaterThan(1);
        expect(ofStandby!.bytes).toBeGreaterThan(10_000);
        expect(ofStandby!.seconds).toBeGreaterThan(1);
      });
      expect(await detail()).toMatchObject({ status: 'degraded', standbys: [{ standby: 'standby' }] });
      const now = new Scrape(await nest.get(MetricsService).read());
      expect(now.value('pg_replication_lag_seconds', { standby: 'standby' })).toBeGreaterThan(1);
      expect(now.value('pg_replication_lag_bytes', { standby: 'standby' })).toBeGreaterThan(10_000);

      await replay('resume');
      await eventually(async () => {
        await write();
        expect(await detail()).toMatchObject({ status: 'up' });
      });
      await eventually(async () =>
        expect(await lagSeenBy(monitors.standby)).toEqual([{ standby: 'this server', seconds: 0, bytes: 0 }]),
      );
    } finally {
      await nest.close();
    }
  });
});
