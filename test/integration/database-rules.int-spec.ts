import { newId, PLATFORM_TENANT_ID } from '../../src/common/id';
import { LOGINS } from '../../src/database/login-definitions';
import { type Query, readCatalogue } from '../support/catalogue';
import { newDatabase, type TestDatabase, type TestLogin } from '../support/postgres';
import { insertOf, Rows } from '../support/rows';
import { IDENTITY_TABLES, TENANT_TABLES, TENANTS } from '../support/tenant-tables';

const NOT_ALLOWED = { code: '42501' };
const APPEND_ONLY = { code: '42501', message: 'the audit trail is append-only' };

/** Tables of tenants that the platform login may read: which tenants there are, and who is in them. */
const PLATFORM_READS = ['app.memberships', 'app.tenants'];
/** And where it may insert too, under the platform's own tenant id. */
const PLATFORM_EVENTS = 'audit.events';

let database: TestDatabase;
let rows: Rows;
const tenantId = newId();

beforeAll(async () => {
  database = await newDatabase();
  const query: Query = (sql, parameters) => database.query('admin', sql, parameters);
  rows = new Rows(await readCatalogue(query), query);
  await rows.fillTenant(tenantId);
  await rows.insert('audit.events', PLATFORM_TENANT_ID);
});
afterAll(() => database.drop());

const refused = (login: TestLogin, sql: string, error: object = NOT_ALLOWED): Promise<void> =>
  expect(database.inTransaction(login, tenantId, (client) => client.query(sql))).rejects.toMatchObject(error);

const countAs = async (login: TestLogin, sql: string): Promise<number | null> =>
  (await database.inTransaction(login, tenantId, (client) => client.query(sql))).rowCount;

const changesOf = (name: string): string[] => [
  `INSERT INTO ${name} DEFAULT VALUES`,
  `DELETE FROM ${name}`,
  `TRUNCATE ${name} CASCADE`,
];

describe('the platform login', () => {
  it.each(PLATFORM_READS)('reads %s of all tenants and changes nothing there', async (name) => {
    expect(await database.query('platform', `SELECT * FROM ${name}`)).toEqual(
      await database.query('admin', `SELECT * FROM ${name}`),
    );
    for (const change of [...changesOf(name), `UPDATE ${name} SET name = 'x'`]) await refused('platform', change);
  });

  it.each(TENANT_TABLES.filter((name) => ![...PLATFORM_READS, PLATFORM_EVENTS].includes(name)))(
    'has no right on %s, with a tenant set either',
    async (name) => {
      for (const statement of [`SELECT FROM ${name}`, ...changesOf(name)]) await refused('platform', statement);
    },
  );

  it("reads and inserts the platform's own audit events and sees no tenant's", async () => {
    const seen = await database.query<{ tenant_id: string }>('platform', 'SELECT tenant_id FROM audit.events');
    expect(seen).toEqual([{ tenant_id: PLATFORM_TENANT_ID }]);
    const insert = async (owner: string) => {
      const { sql, values } = insertOf(PLATFORM_EVENTS, await rows.build(PLATFORM_EVENTS, owner));
      return database.inTransaction('platform', undefined, (client) => client.query(sql, values));
    };
    expect((await insert(PLATFORM_TENANT_ID)).rowCount).toBe(1);
    await expect(insert(tenantId)).rejects.toMatchObject(NOT_ALLOWED);
    await refused('platform', "UPDATE audit.events SET action = 'x'");
    await refused('platform', 'DELETE FROM audit.events');
    await refused('platform', 'TRUNCATE audit.events');
  });
});

describe('the app login', () => {
  it.each(IDENTITY_TABLES)('has no right on %s', async (name) => {
    for (const statement of [`SELECT FROM ${name}`, ...changesOf(name)]) await refused('app', statement);
  });

  it('calls in identity the two functions that were made for it, and learns no password from them', async () => {
    const callable = await database.query<{ name: string }>(
      'app',
      `SELECT p.oid::regprocedure::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
       WHERE n.nspname = 'identity' AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY 1`,
    );
    expect(callable.map(({ name }) => name)).toEqual([
      'identity.active_session(uuid)',
      'identity.ensure_user(uuid,text,text,text)',
    ]);
    const session = await rows.insert('identity.sessions', tenantId);
    await database.query('admin', "UPDATE identity.sessions SET expires_at = now() + interval '1 hour' WHERE id = $1", [
      session.id,
    ]);
    const [found] = await database.query('app', 'SELECT * FROM identity.active_session($1)', [session.id]);
    expect(Object.keys(found!).toSorted()).toEqual(['email', 'name', 'platform_role', 'user_id']);
  });

  it.each([
    'CREATE TABLE app.mine (id int)',
    'CREATE TABLE public.mine (id int)',
    'CREATE TABLE audit.mine (id int)',
    'CREATE TABLE identity.mine (id int)',
    'CREATE TEMPORARY TABLE mine (id int)',
    'CREATE SCHEMA mine',
    'CREATE DATABASE mine',
    'CREATE ROLE mine',
    "CREATE FUNCTION app.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    'CREATE VIEW public.mine AS SELECT * FROM app.tenants',
    'CREATE EXTENSION dblink',
    'ALTER TABLE app.roles DISABLE ROW LEVEL SECURITY',
    'ALTER TABLE app.roles NO FORCE ROW LEVEL SECURITY',
    'ALTER TABLE app.roles OWNER TO tenantry_app',
    'DROP POLICY tenant_isolation ON app.roles',
    'CREATE POLICY mine ON app.roles USING (true)',
    'ALTER ROLE tenantry_app BYPASSRLS',
    'ALTER ROLE tenantry_app SUPERUSER',
    'GRANT tenantry_platform TO tenantry_app',
    "SELECT app.protect_tenant_table('app.roles')",
    "COPY app.roles TO PROGRAM 'cat'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/passwd')",
    'SELECT * FROM pg_authid',
    "SET session_replication_role = 'replica'",
  ])('is refused: %s', async (statement) => {
    const client = await database.connect('app');
    try {
      await expect(client.query(statement)).rejects.toMatchObject({ code: expect.stringMatching(/^42501$/) as string });
    } finally {
      await client.end();
    }
  });

  it.each([...Object.values(LOGINS).map(({ name }) => name), 'postgres'].filter((name) => name !== LOGINS.app.name))(
    'cannot become %s',
    async (role) => {
      await refused('app', `SET ROLE ${role}`);
      await refused('app', `SET SESSION AUTHORIZATION ${role}`);
    },
  );

  it('gets an error, and no rows, when it switches row-level security off', async () => {
    await database.inTransaction('app', tenantId, async (client) => {
      await client.query('SET LOCAL row_security = off');
      await expect(client.query('SELECT FROM app.roles')).rejects.toMatchObject({
        code: '42501',
        message: expect.stringContaining('would be affected by row-level security') as string,
      });
    });
  });

  it('sees no statistics of what other tenants have stored', async () => {
    await database.query('admin', 'ANALYZE');
    expect(
      await countAs(
        'app',
        "SELECT FROM pg_stats WHERE schemaname IN ('app', 'audit', 'identity') AND tablename <> 'permissions'",
      ),
    ).toBe(0);
    expect(await countAs('admin', "SELECT FROM pg_stats WHERE schemaname = 'app'")).not.toBe(0);
  });
});

describe('the monitor login', () => {
  it.each([...TENANT_TABLES, ...IDENTITY_TABLES])('reads no row of %s', async (name) => {
    await refused('monitor', `SELECT FROM ${name}`);
  });
});

describe('the backup login', () => {
  it.each(IDENTITY_TABLES)('has no right on %s', async (name) => {
    for (const statement of [`SELECT FROM ${name}`, ...changesOf(name)]) await refused('backup', statement);
  });

  it.each(TENANT_TABLES)('sees of %s the rows of the set tenant alone', async (name) => {
    const column = name === TENANTS ? 'id' : 'tenant_id';
    expect(await database.query('backup', `SELECT FROM ${name}`)).toEqual([]);
    const found = await database.inTransaction('backup', tenantId, (client) =>
      client.query<{ owner: string }>(`SELECT DISTINCT ${column} AS owner FROM ${name}`),
    );
    expect(found.rows).toEqual([{ owner: tenantId }]);
  });

  it('brings an account back disabled, and no other way', async () => {
    const back = newId();
    await database.query('backup', 'SELECT ops.bring_back_account($1, $2, $3)', [back, `${back}@tenant.test`, 'Back']);
    const [account] = await database.query(
      'admin',
      'SELECT status, platform_role, (SELECT count(*)::int FROM identity.credentials WHERE user_id = id) AS passwords FROM identity.users WHERE id = $1',
      [back],
    );
    expect(account).toEqual({ status: 'disabled', platform_role: null, passwords: 0 });
    for (const login of ['app', 'platform', 'monitor'] as const)
      await refused(login, `SELECT ops.bring_back_account('${newId()}', 'x@tenant.test', 'x')`);
  });
});

describe('the owner login', () => {
  it.each(TENANT_TABLES)('sees no row of %s while no tenant is set', async (name) => {
    expect(await database.query('owner', `SELECT FROM ${name}`)).toEqual([]);
  });

  it.each(["UPDATE audit.events SET action = 'x'", 'DELETE FROM audit.events', 'TRUNCATE audit.events'])(
    'cannot change the audit trail: %s',
    (statement) => refused('owner', statement, APPEND_ONLY),
  );

  it('serves nobody: it is not a superuser and does not bypass row-level security', async () => {
    const logins = await database.query(
      'admin',
      `SELECT rolname AS login FROM pg_roles WHERE rolname LIKE 'tenantry\\_%' AND (rolsuper OR rolbypassrls OR rolcreaterole)`,
    );
    expect(logins).toEqual([]);
  });
});

describe('the superuser', () => {
  it.each(["UPDATE audit.events SET action = 'x'", 'DELETE FROM audit.events', 'TRUNCATE audit.events'])(
    'is told, too, that the audit trail is append-only: %s',
    (statement) => refused('admin', statement, APPEND_ONLY),
  );
});

describe('the tenant of a transaction', () => {
  const countRoles = 'SELECT FROM app.roles';

  it.each([
    ['SET LOCAL', (id: string) => `SET LOCAL app.tenant_id = '${id}'`],
    ['set_config()', (id: string) => `SELECT set_config('app.tenant_id', '${id}', true)`],
  ])('set by %s is gone in the next one on the same connection', async (_, set) => {
    const client = await database.connect('app');
    try {
      for (const end of ['COMMIT', 'ROLLBACK']) {
        await client.query('BEGIN');
        await client.query(set(tenantId));
        expect((await client.query(countRoles)).rowCount).toBeGreaterThan(0);
        await client.query(end);
        expect((await client.query(countRoles)).rowCount).toBe(0);
        await client.query('BEGIN');
        expect((await client.query(countRoles)).rowCount).toBe(0);
        await client.query('ROLLBACK');
      }
    } finally {
      await client.end();
    }
  });

  it('does not stay in a cached plan', async () => {
    const client = await database.connect('app');
    const another = newId();
    try {
      await client.query("SET plan_cache_mode = 'force_generic_plan'");
      await client.query('PREPARE roles AS SELECT FROM app.roles');
      const counts: (number | null)[] = [];
      for (const id of [tenantId, another, tenantId]) {
        await client.query('BEGIN');
        await client.query(`SET LOCAL app.tenant_id = '${id}'`);
        counts.push((await client.query('EXECUTE roles')).rowCount);
        await client.query('COMMIT');
      }
      counts.push((await client.query('EXECUTE roles')).rowCount);
      expect(counts).toEqual([counts[0], 0, counts[0], 0]);
      expect(counts[0]).toBeGreaterThan(0);
    } finally {
      await client.end();
    }
  });
});
