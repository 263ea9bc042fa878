import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { StartupError } from '../../src/common/errors';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { LOGIN_PURPOSES, LOGINS } from '../../src/database/login-definitions';
import { bootstrapDatabase, type BootstrapResult } from '../../src/database/logins';
import { urlFor } from '../../src/database/server-connection';
import { STATISTICS_SETTINGS } from '../../src/database/statement-statistics';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

// A server of its own: logins belong to the whole server, and these tests spoil them.
const NAMES = LOGIN_PURPOSES.map((purpose) => LOGINS[purpose].name);
const DATABASE = 'bootstrapped';

let directory: string;
let server: EmbeddedPostgres;

async function query<Row extends pg.QueryResultRow>(url: string | undefined, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const admin = <Row extends pg.QueryResultRow>(sql: string, database?: string): Promise<Row[]> =>
  query<Row>(server.adminUrl(database), sql);

const bootstrap = (options: Partial<Parameters<typeof bootstrapDatabase>[1]> = {}): Promise<BootstrapResult> =>
  bootstrapDatabase(server.adminUrl(), { database: DATABASE, ...options });

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartupError);
  return (error as StartupError).message;
}

/** An administrator as a managed service gives one. */
async function newManager(attributes: string): Promise<string> {
  const name = `manager_${randomBytes(4).toString('hex')}`;
  await admin(`CREATE ROLE ${name} LOGIN ${attributes} PASSWORD 'manager'`);
  return urlFor(server.adminUrl(), 'postgres', { name, password: 'manager' });
}

beforeAll(async () => {
  directory = makeTestDirectory();
  const binDir = process.env.TEST_POSTGRES_BIN;
  const settings = { ...STATISTICS_SETTINGS, fsync: 'off', log_statement: 'all' };
  server = await startEmbeddedPostgres({ dataDir: directory, settings, ...(binDir && { binDir }) });
});

afterEach(async () => {
  for (const database of [DATABASE, 'other']) await admin(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  for (const name of NAMES) await admin(`DROP ROLE IF EXISTS ${name}`);
});

afterAll(async () => {
  await server.stop();
  removeTestDirectory(directory);
});

describe('bootstrapDatabase', () => {
  it('creates five logins that can sign in and do no more than they must', async () => {
    const { created, changed, notes, urls, databaseCreated } = await bootstrap();
    expect({ created, changed, notes, databaseCreated }).toEqual({
      created: NAMES,
      changed: [],
      notes: [],
      databaseCreated: true,
    });
    for (const purpose of LOGIN_PURPOSES) {
      expect(
        await query(urls[purpose], 'SELECT current_user::text AS name, current_database()::text AS database'),
      ).toEqual([{ name: LOGINS[purpose].name, database: DATABASE }]);
    }
    const attributes = await admin(
      `SELECT rolname AS login, rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole AS powerful, rolreplication AS replicates
       FROM pg_roles WHERE rolname LIKE 'tenantry%' ORDER BY rolname`,
    );
    expect(attributes).toEqual(
      NAMES.toSorted().map((login) => ({ login, powerful: false, replicates: login === 'tenantry_backup' })),
    );
    expect(await query(urls.monitor, `SELECT pg_has_role('pg_monitor', 'USAGE') AS monitors`)).toEqual([
      { monitors: true },
    ]);
  });

  it('gives the database to the owner: it alone creates, also in public', async () => {
    const { urls } = await bootstrap();
    await query(
      urls.owner,
      'CREATE SCHEMA app; CREATE TABLE app.t (); DROP SCHEMA public CASCADE; CREATE SCHEMA public',
    );
    const again = await bootstrap({ rotate: true });
    await query(again.urls.owner, 'CREATE TABLE public.t ()');
    for (const purpose of ['app', 'platform', 'monitor', 'backup'] as const) {
      for (const statement of ['CREATE SCHEMA s', 'CREATE TABLE public.s ()', 'CREATE TEMP TABLE s ()']) {
        await expect(query(again.urls[purpose], statement)).rejects.toMatchObject({ code: '42501' });
      }
    }
    await expect(query(again.urls.owner, 'CREATE DATABASE other')).rejects.toMatchObject({ code: '42501' });
  });

  it('lets nobody else in', async () => {
    await bootstrap();
    const stranger = await newManager('');
    await expect(query(urlFor(stranger, DATABASE), 'SELECT 1')).rejects.toMatchObject({ code: '42501' });
  });

  it('run again changes nothing and keeps the passwords', async () => {
    const first = await bootstrap();
    const second = await bootstrap();
    expect(second).toEqual({ databaseCreated: false, created: [], changed: [], notes: [], urls: {} });
    expect(await query(first.urls.app, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('sets the passwords that are given and, asked to rotate, all others anew', async () => {
    const first = await bootstrap();
    const second = await bootstrap({ passwords: { app: "p'a%s /s\\" } });
    expect(second.changed).toEqual(['tenantry_app']);
    expect(await query(second.urls.app, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await query(first.urls.owner, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const third = await bootstrap({ rotate: true });
    expect(third.changed).toEqual(NAMES);
    for (const purpose of LOGIN_PURPOSES)
      await expect(query(first.urls[purpose], 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await query(third.urls.backup, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('never shows the server a password', async () => {
    const secret = randomBytes(12).toString('hex');
    const { urls } = await bootstrap({ passwords: { app: secret } });
    await query(urls.app, 'SELECT 1');
    const [log] = await admin<{ text: string }>(`SELECT pg_read_file('../server.log') AS text`);
    expect(log?.text).toContain('ROLE "tenantry_app"'); // the log does hold the statement
    expect(log?.text).not.toContain(secret);
    expect(log?.text).not.toContain(new URL(urls.owner ?? '').password);
  });

  it('puts right what somebody has done to a login by hand', async () => {
    await bootstrap();
    await admin(
      `ALTER ROLE tenantry_app SUPERUSER BYPASSRLS CREATEDB CREATEROLE; ALTER ROLE tenantry_platform NOLOGIN;
       GRANT pg_read_all_data, tenantry_owner TO tenantry_app; REVOKE pg_monitor FROM tenantry_monitor;
       GRANT CREATE ON DATABASE ${DATABASE} TO tenantry_app; ALTER DATABASE ${DATABASE} OWNER TO postgres`,
    );
    const { changed } = await bootstrap();
    expect(changed).toEqual(['tenantry_app', 'tenantry_platform', 'tenantry_monitor']);
    const [facts] = await admin<Record<string, boolean>>(
      `SELECT bool_or(rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole) AS powerful, bool_and(rolcanlogin) AS enter,
              (SELECT count(*)::int FROM pg_auth_members WHERE member = 'tenantry_app'::regrole) AS memberships,
              has_database_privilege('tenantry_app', '${DATABASE}', 'CREATE') AS creates,
              (SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = '${DATABASE}') AS owner
       FROM pg_roles WHERE rolname LIKE 'tenantry%'`,
    );
    expect(facts).toEqual({ powerful: false, enter: true, memberships: 0, creates: false, owner: 'tenantry_owner' });
  });

  it('takes turns with others on the same server', async () => {
    const results = await Promise.all([bootstrap(), bootstrap({ database: 'other' })]);
    expect(results.flatMap((result) => result.created).toSorted()).toEqual(NAMES.toSorted());
    expect(results.map((result) => result.databaseCreated)).toEqual([true, true]);
  });

  it('lets the owner create databases for development only', async () => {
    const { urls } = await bootstrap({ ownerMayCreateDatabases: true });
    await query(urls.owner, 'CREATE DATABASE other');
    expect((await bootstrap()).changed).toEqual(['tenantry_owner']);
  });
});

describe('bootstrapDatabase under an administrator who is no superuser', () => {
  it('does all that it may, and says what is left', async () => {
    const manager = await newManager('CREATEDB CREATEROLE');
    const { created, notes, urls } = await bootstrapDatabase(manager, { database: DATABASE });
    expect(created).toEqual(NAMES);
    expect(notes.join('\n')).toContain('tenantry_backup has no REPLICATION');
    await query(urls.owner, 'CREATE SCHEMA app; CREATE TABLE public.t ()');
    await expect(query(urls.app, 'CREATE SCHEMA s')).rejects.toMatchObject({ code: '42501' });
    const again = await bootstrapDatabase(manager, { database: DATABASE });
    expect({ created: again.created, changed: again.changed }).toEqual({ created: [], changed: [] });
  });

  it('refuses to leave a login that could bypass row-level security', async () => {
    await bootstrap();
    await admin('ALTER ROLE tenantry_app BYPASSRLS');
    const reason = await reasonOf(bootstrapDatabase(await newManager('CREATEDB CREATEROLE'), { database: DATABASE }));
    expect(reason).toContain('tenantry_app');
    expect(reason).toContain('take away BYPASSRLS');
  });

  it('refuses an administrator with too few rights', async () => {
    const reason = await reasonOf(bootstrapDatabase(await newManager('CREATEDB'), { database: DATABASE }));
    expect(reason).toContain('may not create logins');
  });
});

describe('what the administrator is told about a connection that fails', () => {
  it.each([
    [
      'a wrong password',
      (url: string) => url.replace(/postgres:[^@]*@/, 'postgres:wrong-secret@'),
      'refuses the password of postgres',
    ],
    [
      'no server',
      () => 'postgresql://postgres:wrong-secret@127.0.0.1:1/postgres',
      'No PostgreSQL server answers at 127.0.0.1:1',
    ],
    ['an unreadable URL', () => 'postgresql://postgres:wrong-secret@:x', 'cannot be read'],
  ])('%s', async (_, change, expected) => {
    const reason = await reasonOf(bootstrapDatabase(change(server.adminUrl()), { database: DATABASE }));
    expect(reason).toContain(expected);
    expect(reason).not.toContain('wrong-secret');
  });
});
