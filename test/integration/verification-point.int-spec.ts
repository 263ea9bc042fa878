import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { BackupStore } from '../../src/backups/native/backup-store';
import { WalReceiver } from '../../src/backups/native/wal-receiver';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { createRestorePoint, listRestorePoints } from '../../src/backups/restore-points';
import {
  compareWithPoint,
  type Comparison,
  passesPoint,
  readVerificationPoint,
  takeVerificationPoint,
  type VerificationPoint,
} from '../../src/backups/verification-point';
import { newId } from '../../src/common/id';
import { WalSource } from '../../src/database/wal-source';
import { type Query, readCatalogue } from '../support/catalogue';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { Rows } from '../support/rows';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const VARIABLE = 'POSTGRES_BACKUP_URL';
const WRITERS = 4;
const tenantIds = [newId(), newId()];

/** Its server's; the second start has others. */
const settings: Record<string, string> = { max_connections: '60' };

let server: OwnServer;
let directory: string;
let source: WalSource;
let receiver: WalReceiver;
let received: Promise<void>;
let admin: pg.Pool;
let store: BackupStore;
let engine: NativeEngine;

beforeAll(async () => {
  server = await OwnServer.start(settings);
  directory = makeTestDirectory();
  store = new BackupStore(new LocalRepository(path.join(directory, 'repository')), [new BackupKey(randomBytes(32))]);
  engine = new NativeEngine(store, { url: () => server.urls.backup, binDir: process.env.TEST_POSTGRES_BIN });
  await connect();
  const query: Query = async <Result extends object>(sql: string, parameters?: unknown[]) =>
    (await admin.query(sql, parameters)).rows as Result[];
  const rows = new Rows(await readCatalogue(query), query);
  for (const id of tenantIds) await rows.fillTenant(id);
}, 300_000);
afterAll(async () => {
  await disconnect();
  await server?.remove();
  if (directory) removeTestDirectory(directory);
});

async function connect(): Promise<void> {
  source = await WalSource.connect(server.urls.backup, VARIABLE);
  receiver = new WalReceiver({ source, store, slot: 'test', heartbeatMs: 200, segmentAgeMs: 1_000 });
  received = receiver.run();
  admin = new pg.Pool({ connectionString: server.adminUrl(), max: WRITERS + 2 });
  admin.on('error', () => undefined); // an idle connection, when the server stops
}

async function disconnect(): Promise<void> {
  receiver?.stop();
  await received?.catch(() => undefined);
  await source?.end();
  await admin?.end();
}

const WRITE = `WITH one AS (UPDATE app.tenants SET updated_at = clock_timestamp() WHERE id = $1)
  INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type)
  VALUES ($1, gen_random_uuid(), clock_timestamp(), 'written', 'success', 'system')`;

/** Writes to two tables all the time, in transactions as short as requests'. */
function startWriters(): { stop(): Promise<number> } {
  let isStopped = false;
  const loops = Array.from({ length: WRITERS }, async (_, place) => {
    let written = 0;
    for (; !isStopped; written += 1) await admin.query(WRITE, [tenantIds[place % 2]]);
    return written;
  });
  return {
    stop: async () => {
      isStopped = true;
      return (await Promise.all(loops)).reduce((sum, written) => sum + written, 0);
    },
  };
}

async function countEvents(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ events: number }>(
      'SELECT count(*)::int AS events FROM audit.events WHERE tenant_id = $1',
      [tenantIds[0]],
    );
    return rows[0]!.events;
  } finally {
    await client.end();
  }
}

async function untilStored(at: Date): Promise<void> {
  await eventually(async () => {
    const { until } = await engine.planRestore({ moment: { kind: 'latest' } });
    expect(until.getTime()).toBeGreaterThan(at.getTime());
  }, 60_000);
}

const newDirectory = (): string => path.join(directory, `restored-${randomBytes(3).toString('hex')}`);

/** Restores to the end of what is stored, and looks when it passes the point. */
async function compared(point: VerificationPoint): Promise<Comparison> {
  await admin.query(WRITE, [tenantIds[0]]);
  await untilStored(new Date());
  const plan = await engine.planRestore({ moment: { kind: 'latest' }, backupId: point.backupId });
  expect(passesPoint(plan, point)).toBe(true);
  let comparison: Comparison | undefined;
  const cluster = await engine.materialize(plan, {
    directory: newDirectory(),
    isScratch: true,
    inspection: {
      point: point.name,
      look: async (paused) => {
        comparison = await compareWithPoint(paused, point);
      },
    },
  });
  try {
    // It went on after the look: what was written later is there, too.
    const [, , atPoint] = point.entries.find(([table, id]) => table === 'audit.events' && id === tenantIds[0])!;
    expect(await countEvents(cluster.adminUrl(point.database))).toBeGreaterThan(atPoint);
  } finally {
    await cluster.discard();
  }
  return comparison!;
}

const takePoint = (backupId: string): Promise<VerificationPoint> =>
  takeVerificationPoint({ notes: store.notes, url: server.urls.backup, backupId });

describe('a verification point', () => {
  it('is what stands in the database at its place in the log, however much is written meanwhile', async () => {
    const { id: backupId } = await engine.createBackup({ checkpoint: 'fast' });
    await disconnect();
    await server.stop();
    // Then a clone must ask for as many, too, or nobody may look at it while it recovers; its settings are those of the backup.
    settings.max_connections = '80';
    await server.startAgain();
    await connect();
    const writers = startWriters();
    const point = await takePoint(backupId);
    expect(await writers.stop()).toBeGreaterThan(WRITERS);
    expect(await readVerificationPoint(store.notes, backupId)).toEqual(point);
    const comparison = await compared(point);
    expect(comparison).toEqual({ entries: point.entries.length, mismatches: [] });
    expect(comparison.entries).toBeGreaterThan(10);
  }, 300_000);

  it('waits for a commit that is in the log already and that nobody sees yet', async () => {
    const { id: backupId } = await engine.createBackup({ checkpoint: 'fast' });
    // As with a standby that is slow to confirm. A snapshot alone would miss the row, and a restore would bring it.
    await admin.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
    await admin.query('SELECT pg_reload_conf()');
    const before = await countEvents(server.adminUrl());
    const written = admin.query(WRITE, [tenantIds[0]]);
    await eventually(async () => {
      const { rows } = await admin.query(
        `SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'WITH one%'`,
      );
      expect(rows).toHaveLength(1);
    });
    let isTaken = false;
    const taken = takePoint(backupId).finally(() => (isTaken = true));
    await sleep(500);
    expect([isTaken, await countEvents(server.adminUrl())]).toEqual([false, before]);
    await admin.query('ALTER SYSTEM RESET synchronous_standby_names');
    await admin.query('SELECT pg_reload_conf()');
    await written;
    const point = await taken;
    const [, , atPoint] = point.entries.find(([table, id]) => table === 'audit.events' && id === tenantIds[0])!;
    expect(atPoint).toBe(before + 1);
    expect(await compared(point)).toEqual({ entries: point.entries.length, mismatches: [] });
  }, 300_000);

  it('tells counts and checksums to the backup login alone, and to nobody a row', async () => {
    for (const login of ['app', 'platform', 'monitor'] as const) {
      const client = new pg.Client({ connectionString: server.urls[login] });
      await client.connect();
      for (const call of ['ops.table_checksums()', 'ops.lock_compared_tables()'])
        await expect(client.query(`SELECT * FROM ${call}`)).rejects.toMatchObject({ code: '42501' });
      await client.end();
    }
    const backup = new pg.Client({ connectionString: server.urls.backup });
    await backup.connect();
    expect((await backup.query('SELECT * FROM audit.events')).rows).toEqual([]);
    await expect(backup.query('SELECT * FROM identity.users')).rejects.toMatchObject({ code: '42501' });
    await backup.end();
    const owner = new pg.Client({ connectionString: server.urls.owner });
    await owner.connect();
    // The policy is for sessions of the backup login: the owner's own are under the tenants' rule.
    const { rows } = await owner.query<{ table_name: string }>('SELECT table_name FROM ops.table_checksums()');
    expect(rows.filter(({ table_name: name }) => name === 'audit.events')).toEqual([]);
    await owner.end();
  });
});

describe('a restore point', () => {
  const create = (name: string) => createRestorePoint(store.notes, server.urls.backup, name);

  it('is where a restore stops, between two commits', async () => {
    await engine.createBackup({ checkpoint: 'fast' });
    await admin.query(WRITE, [tenantIds[0]]);
    const before = await countEvents(server.adminUrl());
    const point = await create('before-import');
    await admin.query(WRITE, [tenantIds[0]]);
    await untilStored(point.at);
    expect(await listRestorePoints(store.notes)).toEqual([point]);
    const plan = await engine.planRestore({ moment: { kind: 'point', name: point.name } });
    expect(plan.until).toEqual(point.at);
    const cluster = await engine.materialize(plan, { directory: newDirectory() });
    try {
      expect(await countEvents(cluster.adminUrl('tenantry'))).toBe(before);
    } finally {
      await cluster.discard();
    }
  }, 300_000);

  it('has a name of its own, that PostgreSQL takes', async () => {
    await create('once');
    await expect(create('once')).rejects.toThrow('There is a restore point once already.');
    for (const name of ['', '-x', 'with space', '../up', 'x'.repeat(64), 'verify-x'])
      await expect(create(name)).rejects.toThrow("A restore point's name is");
    const unknown = engine.planRestore({ moment: { kind: 'point', name: 'unknown' } });
    await expect(unknown).rejects.toThrow('There is no restore point unknown.');
  });

  it('is refused, with what to do, where the login may not', async () => {
    const may = (verb: string) => admin.query(`${verb} tenantry_backup`);
    await may('REVOKE EXECUTE ON FUNCTION pg_create_restore_point(text) FROM');
    try {
      await expect(create('refused')).rejects.toThrow(/may not create restore points.*GRANT EXECUTE ON FUNCTION/);
      await expect(takePoint('none')).rejects.toThrow('may not create restore points');
    } finally {
      await may('GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO');
    }
  });
});
