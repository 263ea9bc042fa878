import { Logger } from '@nestjs/common';
import { newId, PLATFORM_TENANT_ID } from '../../src/common/id';
import { MonitorDb } from '../../src/database/monitor-db';
import { SizeSampler } from '../../src/monitoring/size-sampler';
import { SizeSamplesRepository } from '../../src/monitoring/size-samples.repository';
import { type Query, readCatalogue } from '../support/catalogue';
import { newDatabase, type TestDatabase, type TestLogin } from '../support/postgres';
import { Rows } from '../support/rows';
import { TENANT_TABLES } from '../support/tenant-tables';

const NOT_ALLOWED = { code: '42501' };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let database: TestDatabase;
let monitors: MonitorDb[];
let now: Date;
let samplers: SizeSampler[];
const tenantIds = [newId(), newId()];

beforeAll(async () => {
  Logger.overrideLogger(false); // one of these lets a sample fail in part
  database = await newDatabase();
  const query: Query = (sql, parameters) => database.query('admin', sql, parameters);
  const rows = new Rows(await readCatalogue(query), query);
  for (const id of tenantIds) await rows.fillTenant(id);
  await rows.insert('audit.events', PLATFORM_TENANT_ID);
  // One tenant has far more than the other.
  await database.query(
    'admin',
    `INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, after)
     SELECT $1, gen_random_uuid(), now(), 'grown', 'success', 'system', jsonb_build_object('n', n, 'text', repeat('x', 200))
     FROM generate_series(1, 4000) AS n`,
    [tenantIds[0]],
  );
  monitors = [new MonitorDb(database.urls.monitor), new MonitorDb(database.urls.monitor)];
  samplers = monitors.map((db) => new SizeSampler(db, new SizeSamplesRepository(db), { now: () => now }));
});
afterAll(async () => {
  await Promise.all((monitors ?? []).map((db) => db.onApplicationShutdown()));
  await database?.drop();
});
beforeEach(async () => {
  now = new Date('2026-11-23T10:20:30.400Z');
  await database.query('admin', 'DELETE FROM ops.size_samples');
});

const times = async (): Promise<string[]> =>
  (
    await database.query<{ time: Date }>('admin', 'SELECT DISTINCT taken_at AS time FROM ops.size_samples ORDER BY 1')
  ).map(({ time }) => time.toISOString());

describe('the sampler', () => {
  it('notes the database, each table and each tenant', async () => {
    expect(await samplers[0]!.run()).toBe(true);
    const found = await database.query<{ kind: string; name: string; bytes: string }>(
      'monitor',
      'SELECT kind, name, bytes FROM ops.size_samples WHERE taken_at = $1',
      [now],
    );
    const namesOf = (kind: string) => found.filter((row) => row.kind === kind).map(({ name }) => name);
    expect(namesOf('database')).toEqual([database.name]);
    expect(namesOf('table')).toEqual(expect.arrayContaining([...TENANT_TABLES, 'identity.users', 'ops.size_samples']));
    expect(namesOf('tenant').toSorted()).toEqual(tenantIds.toSorted());
    for (const { bytes } of found) expect(Number(bytes)).toBeGreaterThan(0);
  });

  it('takes one sample when two instances try at once', async () => {
    const taken = await Promise.all(Array.from({ length: 8 }, (_, place) => samplers[place % 2]!.run()));
    expect(taken.filter(Boolean)).toHaveLength(1);
    expect(await times()).toEqual([now.toISOString()]);
  });

  it('takes one within an hour of the clock, and one in the next', async () => {
    const taken: boolean[] = [];
    for (const time of ['10:20:30', '10:59:59', '11:00:00', '11:20:00']) {
      now = new Date(`2026-11-23T${time}.000Z`);
      taken.push(await samplers[0]!.run());
    }
    expect(taken).toEqual([true, false, true, false]);
  });

  it('leaves it to who has the lock, and waits for nobody', async () => {
    const other = await database.connect('monitor');
    await other.query(`BEGIN; SELECT pg_advisory_xact_lock(hashtext('tenantry:size-sampler'))`);
    expect(await samplers[0]!.run()).toBe(false);
    await other.query('ROLLBACK');
    expect(await samplers[0]!.run()).toBe(true);
    await other.end();
  });

  it('keeps the rest when the tenants cannot be measured in time', async () => {
    const owner = await database.connect('owner');
    await owner.query('ALTER FUNCTION ops.tenant_sizes(integer) RENAME TO tenant_sizes_gone');
    try {
      expect(await samplers[0]!.run()).toBe(true);
    } finally {
      await owner.query('ALTER FUNCTION ops.tenant_sizes_gone(integer) RENAME TO tenant_sizes');
      await owner.end();
    }
    const kinds = await database.query('admin', 'SELECT DISTINCT kind FROM ops.size_samples ORDER BY 1');
    expect(kinds).toEqual([{ kind: 'database' }, { kind: 'table' }]);
  });

  it('keeps each sample for 8 days, the first of each day for 400, and none beyond', async () => {
    const at = (iso: string) => new Date(`${iso}Z`);
    const kept = [
      '2025-10-19T11:00',
      '2026-11-10T00:07',
      '2026-11-15T00:07',
      '2026-11-15T11:00',
      '2026-11-22T23:00',
    ].map(at);
    const gone = [
      '2025-10-18T23:00',
      '2025-10-18T09:00',
      '2026-11-10T01:07',
      '2026-11-10T23:50',
      '2026-11-15T09:00',
    ].map(at);
    for (const time of [...kept, ...gone]) {
      await database.query('monitor', "INSERT INTO ops.size_samples VALUES ($1, 'database', 'x', 1, NULL)", [time]);
    }
    await samplers[0]!.run();
    expect(await times()).toEqual([...kept, now].map((time) => time.toISOString()));
  });

  it('does nothing where there is no monitor login', async () => {
    const none = new MonitorDb(undefined);
    await new SizeSampler(none, new SizeSamplesRepository(none), { now: () => now }).runOften();
    expect(await times()).toEqual([]);
  });
});

describe('the series of a thing', () => {
  it('has the first sample of each day since a moment, and the newest', async () => {
    const insert = (days: number, hours: number, bytes: number) =>
      database.query('monitor', "INSERT INTO ops.size_samples VALUES ($1, 'table', 'a.b', $2, 0)", [
        new Date(now.getTime() - days * DAY_MS - hours * HOUR_MS),
        bytes,
      ]);
    for (const day of [40, 3, 2, 1, 0]) for (const hours of [2, 1, 0]) await insert(day, hours, day * 10 + hours);
    const series = await new SizeSamplesRepository(monitors[0]!).readDailySince(new Date(now.getTime() - 30 * DAY_MS));
    expect([...series.keys()]).toEqual(['table a.b']);
    expect(series.get('table a.b')!.map(({ bytes }) => bytes)).toEqual([32, 22, 12, 2, 0]);
  });
});

describe('ops.tenant_sizes()', () => {
  type SizeRow = { tenant_id: string; table_name: string; estimated_rows: string; bytes: string };
  const measure = (pages: number | null = 2000) =>
    database.query<SizeRow>('monitor', 'SELECT * FROM ops.tenant_sizes($1)', [pages]);

  it('tells whose rows there are, how many and how much, and nothing that stands in them', async () => {
    const found = await measure();
    expect(Object.keys(found[0]!)).toEqual(['tenant_id', 'table_name', 'estimated_rows', 'bytes']);
    expect(new Set(found.map(({ table_name: table }) => table))).toEqual(new Set(TENANT_TABLES));
    for (const { tenant_id: id, table_name: table, estimated_rows: counted } of found) {
      const column = table === 'app.tenants' ? 'id' : 'tenant_id';
      const [actual] = await database.query<{ count: string }>(
        'admin',
        `SELECT count(*) FROM ${table} WHERE ${column} = $1`,
        [id],
      );
      expect({ table, id, counted }).toEqual({ table, id, counted: actual!.count });
    }
  });

  it('divides each table, indexes and all, among those whose rows it holds', async () => {
    const found = await measure();
    for (const table of TENANT_TABLES) {
      const parts = found.filter((row) => row.table_name === table);
      const sum = parts.reduce((bytes, row) => bytes + Number(row.bytes), 0);
      const [size] = await database.query<{ bytes: string }>('admin', 'SELECT pg_total_relation_size($1) AS bytes', [
        table,
      ]);
      expect(Math.abs(sum - Number(size!.bytes))).toBeLessThanOrEqual(parts.length); // each is rounded
    }
    const events = found.filter((row) => row.table_name === 'audit.events');
    const partOf = (id: string) => Number(events.find((row) => row.tenant_id === id)!.bytes);
    expect(partOf(tenantIds[0]!)).toBeGreaterThan(1000 * partOf(tenantIds[1]!));
  });

  it('reads a part of a large table, the same one each time, and comes near', async () => {
    const found = await measure(40);
    expect(await measure(40)).toEqual(found);
    const large = found.find((row) => row.tenant_id === tenantIds[0] && row.table_name === 'audit.events')!;
    expect(Number(large.estimated_rows)).not.toBe(4001); // counted, it would be
    expect(Number(large.estimated_rows)).toBeGreaterThan(4001 / 2);
    expect(Number(large.estimated_rows)).toBeLessThan(4001 * 2);
  });

  it('takes no more pages than its bound, whatever it is asked, and any sense of it', async () => {
    expect(await measure(2_000_000_000)).toEqual(await measure(2000));
    expect(await measure(null)).toEqual(await measure(1));
    expect(await measure(-5)).toEqual(await measure(1));
  });

  it.each<TestLogin>(['app', 'platform', 'backup'])(
    'is refused to the %s login, and so are the samples',
    async (login) => {
      for (const sql of [
        'SELECT * FROM ops.tenant_sizes()',
        'SELECT * FROM ops.size_samples',
        "INSERT INTO ops.size_samples VALUES (now(), 'table', 'x', 1, 1)",
        'DELETE FROM ops.size_samples',
      ]) {
        await expect(database.query(login, sql)).rejects.toMatchObject(NOT_ALLOWED);
      }
    },
  );

  it("opens no table to the monitor login itself, nor to the owner's sessions", async () => {
    for (const table of TENANT_TABLES) {
      await expect(database.query('monitor', `SELECT FROM ${table}`)).rejects.toMatchObject(NOT_ALLOWED);
      expect(await database.query('owner', `SELECT FROM ${table}`)).toEqual([]);
    }
    expect(await database.query('owner', 'SELECT * FROM ops.tenant_sizes()')).toEqual([]);
  });

  it('lets the monitor login change no sample that was taken', async () => {
    await expect(database.query('monitor', 'UPDATE ops.size_samples SET bytes = 0')).rejects.toMatchObject(NOT_ALLOWED);
    await expect(database.query('monitor', 'TRUNCATE ops.size_samples')).rejects.toMatchObject(NOT_ALLOWED);
  });
});
