import { MonitorDb } from '../../src/database/monitor-db';
import { newDatabase, type TestDatabase } from '../support/postgres';

let database: TestDatabase;
let monitor: MonitorDb;

beforeAll(async () => {
  database = await newDatabase();
  monitor = new MonitorDb(database.urls.monitor);
});
afterAll(async () => {
  await monitor.onApplicationShutdown();
  await database.drop();
});

describe('MonitorDb', () => {
  it('sees what others run', async () => {
    const client = await database.connect('app');
    await client.query('SELECT 42 AS seen_by_the_monitor');
    const rows = await monitor.query<{ usename: string; query: string }>(
      'SELECT usename, query FROM pg_stat_activity WHERE datname = $1 AND query LIKE $2 AND pid <> pg_backend_pid()',
      [database.name, '%seen_by_the_monitor%'],
    );
    await client.end();
    expect(rows).toEqual([{ usename: 'tenantry_app', query: 'SELECT 42 AS seen_by_the_monitor' }]);
  });

  it('sees no row of a tenant', async () => {
    await expect(monitor.query('SELECT * FROM app.tenants')).rejects.toMatchObject({ code: '42501' });
  });

  it('does not wait for a lock', async () => {
    const owner = await database.connect('owner');
    await owner.query('BEGIN');
    await owner.query('LOCK TABLE app.tenants IN ACCESS EXCLUSIVE MODE');
    const size = monitor.query(`SELECT pg_total_relation_size(oid) FROM pg_class WHERE relname = 'tenants'`);
    await expect(size).rejects.toMatchObject({ code: '55P03' }); // lock_not_available
    await owner.end();
  });

  it('says when there is no such login', async () => {
    const none = new MonitorDb(undefined);
    expect([monitor.isConfigured, none.isConfigured]).toEqual([true, false]);
    await expect(none.query('SELECT 1')).rejects.toThrow('There is no monitor login.');
    await none.onApplicationShutdown();
  });
});
