import { startEmbeddedDatabase } from '../../src/database/embedded-database';
import { MonitorDb } from '../../src/database/monitor-db';
import { StatementPlanner } from '../../src/database/statement-planner';
import { StatementsRepository, type StatisticsSource } from '../../src/monitoring/statements.repository';
import { type Doors, openDoors } from '../support/doors';
import { OwnServer } from '../support/own-server';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

let database: TestDatabase;
let monitor: MonitorDb;
let doors: Doors;
let statements: StatementsRepository;
let planner: StatementPlanner;

beforeAll(async () => {
  database = await newDatabase();
  monitor = new MonitorDb(database.urls.monitor);
  doors = await openDoors(database.urls, { POSTGRES_POOL_SIZE: 1 });
  statements = new StatementsRepository(monitor);
  planner = new StatementPlanner(doors.pools);
});
afterAll(async () => {
  await doors.close();
  await monitor.onApplicationShutdown();
  await database.drop();
});

async function source(): Promise<StatisticsSource> {
  const found = await statements.locate();
  if (typeof found === 'string') throw new Error(found);
  return found;
}

/** What a repository for another database finds. */
async function locatedIn(url: string | undefined): Promise<unknown> {
  const other = new MonitorDb(url);
  try {
    return await new StatementsRepository(other).locate();
  } finally {
    await other.onApplicationShutdown();
  }
}

describe('the statistics of statements', () => {
  it('are read by the monitor alone', async () => {
    expect(await source()).toMatchObject({ schema: 'statistics' });
    for (const login of ['app', 'platform', 'backup'] as const)
      await expect(database.query(login, 'SELECT FROM statistics.pg_stat_statements')).rejects.toMatchObject({
        code: '42501',
      });
  });

  it('hold no statement that sets something: each tenant would have its own', async () => {
    await database.inTransaction('app', '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e01', (client) => client.query('SELECT 1'));
    const rows = await database.query(
      'admin',
      `SELECT query FROM statistics.pg_stat_statements WHERE query LIKE 'SET %'`,
    );
    expect(rows).toEqual([]);
  });

  it('add up what a statement has taken', async () => {
    for (const rows of [2, 3]) await database.query('app', 'SELECT generate_series(1, $1::int) AS added_up', [rows]);
    const listed = await statements.list(await source(), 'calls', 100);
    const [row] = listed.filter(({ text }) => text.includes('added_up'));
    expect(row).toMatchObject({ login: 'tenantry_app', calls: 2, rows: 5 });
    expect(await statements.find(await source(), row!.fingerprint)).toEqual([row]);
  });

  it('are found where an operator has put them', async () => {
    const other = await newDatabase();
    try {
      await other.query('admin', 'ALTER EXTENSION pg_stat_statements SET SCHEMA public');
      expect(await locatedIn(other.urls.monitor)).toMatchObject({ schema: 'public' });
    } finally {
      await other.drop();
    }
  });

  it('are missing without the monitor, the extension, or its present version', async () => {
    expect(await locatedIn(undefined)).toBe('no_monitor_login');
    const empty = await newDatabase({ empty: true });
    try {
      expect(await locatedIn(empty.urls.monitor)).toBe('no_extension');
      await empty.query('admin', `CREATE EXTENSION pg_stat_statements VERSION '1.8'`);
      expect(await locatedIn(empty.urls.monitor)).toBe('outdated');
    } finally {
      await empty.drop();
    }
  });

  it('are there on the embedded server', async () => {
    const directory = makeTestDirectory();
    const embedded = await startEmbeddedDatabase(directory);
    try {
      expect(await locatedIn(embedded.urls.monitor)).toMatchObject({ schema: 'statistics' });
    } finally {
      await embedded.stop();
      removeTestDirectory(directory);
    }
  }, 60_000);

  it('are missing on a server that was not started with their library', async () => {
    const server = await OwnServer.start(); // bootstrapped and migrated all the same
    try {
      expect(await locatedIn(server.urls.monitor)).toBe('not_loaded');
    } finally {
      await server.remove();
    }
  }, 60_000);
});

describe('StatementPlanner', () => {
  it('plans for any values', async () => {
    const plan = await planner.plan('app', 'SELECT id FROM app.roles WHERE tenant_id = $1 AND name = $2 LIMIT $3');
    expect(JSON.stringify(plan)).toContain('$1');
  });

  it.each(['SELECT 1', 'VALUES ($1, $2::int)', 'INSERT INTO app.roles (tenant_id, name) VALUES ($1, $2)'])(
    'plans %s, and leaves the connection as it was',
    async (sql) => {
      await planner.plan('app', sql);
      const { rows } = await doors.pools.app.query(
        `SELECT current_setting('plan_cache_mode') AS mode, current_setting('transaction_read_only') AS read_only,
           (SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'tenantry\\_plan%') AS prepared`,
      );
      expect(rows).toEqual([{ mode: 'auto', read_only: 'off', prepared: 0 }]);
    },
  );

  it('takes constants of any type for texts, as in a key of an object', async () => {
    await planner.plan('app', 'SELECT jsonb_build_object($2, r.name, $3, $1::int) FROM app.roles r');
  });

  it.each([
    ['several statements', 'SELECT 1; DROP TABLE app.roles', /multiple commands/],
    ['a transaction', 'SELECT 1; COMMIT; BEGIN', /multiple commands/],
    ['a setting', "SET row_security = 'off'", /syntax error/],
    ['a change of the schema', 'DROP TABLE app.roles', /syntax error/],
    ['nothing', '', /syntax error/],
    ['what the login may not read', 'SELECT * FROM identity.credentials', /permission denied/],
    ['what is not there', 'SELECT * FROM app.nothing', /does not exist/],
  ])('refuses %s', async (_, sql, reason) => {
    await expect(planner.plan('app', sql)).rejects.toMatchObject({
      code: 'statement_not_plannable',
      message: expect.stringMatching(reason) as string,
    });
    const { rows } = await doors.pools.app.query(`SELECT to_regclass('app.roles') IS NOT NULL AS there`);
    expect(rows).toEqual([{ there: true }]);
  });

  it('runs nothing of what it plans', async () => {
    await database.query(
      'owner',
      `CREATE FUNCTION app.leaves_a_trace() RETURNS int LANGUAGE sql VOLATILE AS
         $$ INSERT INTO app.traces VALUES (1) RETURNING 1 $$`.replace(
        'CREATE',
        'CREATE TABLE app.traces (id int); CREATE',
      ),
    );
    await database.query('owner', 'GRANT SELECT, INSERT ON app.traces TO tenantry_app');
    await planner.plan('app', 'SELECT app.leaves_a_trace()');
    await planner.plan('app', 'INSERT INTO app.traces VALUES ($1)');
    expect(await database.query('owner', 'SELECT * FROM app.traces')).toEqual([]);
    await database.query('app', 'SELECT app.leaves_a_trace()'); // so it would have
    expect(await database.query('owner', 'SELECT * FROM app.traces')).toEqual([{ id: 1 }]);
  });

  it('does not wait for whoever alters a table', async () => {
    const owner = await database.connect('owner');
    await owner.query('BEGIN');
    await owner.query('LOCK TABLE app.roles IN ACCESS EXCLUSIVE MODE');
    await expect(planner.plan('app', 'SELECT id FROM app.roles')).rejects.toMatchObject({ code: 'database_timeout' });
    await owner.end();
  });
});
