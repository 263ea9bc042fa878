import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { urlFor } from '../../src/database/server-connection';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

type Variables = Record<string, string>;

let project: ProjectCopy;
let dataDir: string;
let database: TestDatabase;
let server: ServerProcess | undefined;

/** Starts on a server of its operator's, with what a correct configuration has but for `changes`. */
function start(changes: Variables = {}): ServerProcess {
  const { app, platform } = database.urls;
  const env = { DATA_DIR: dataDir, POSTGRES_URL: app, POSTGRES_PLATFORM_URL: platform, ...changes };
  server = new ServerProcess(project.directory, env);
  return server;
}

/** Starts what must not start. @returns all that it said */
async function refusal(changes: Variables = {}): Promise<string> {
  const { ended } = start(changes);
  const ending = await ended;
  const { output } = server!;
  expect({ ending, output }).toEqual({
    ending: { code: 1, signal: null },
    output: expect.stringMatching(/\S/) as string,
  });
  expect(output).not.toMatch(/^ +at /m); // a reason is for the operator, a stack for the programmer
  const given = { ...database.urls, ...changes, admin: database.adminUrl };
  for (const secret of Object.values(given).flatMap(secretsIn)) expect(output).not.toContain(secret);
  return output;
}

function secretsIn(value: string): string[] {
  const password = /^\w+:\/\/[^:@/]*:([^@/]+)@/.exec(value)?.[1];
  return password === undefined ? [] : [value, password, decodeURIComponent(password)];
}

const withPassword = (url: string, password: string): string => url.replace(/:[^:@/]+@/, `:${password}@`);
const admin = (sql: string): Promise<unknown[]> => database.query('admin', sql);

beforeAll(() => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
});

beforeEach(async () => {
  database = await newDatabase();
});

afterEach(async () => {
  if (server?.isRunning) server.killGroup('SIGKILL');
  await server?.ended;
  await database.drop();
});

afterAll(() => {
  project.remove();
  removeTestDirectory(dataDir);
});

describe('a start with POSTGRES_URL', () => {
  it('serves under the logins of db:bootstrap, and leaves the server alone when it stops', async () => {
    const url = await start().ready();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    expect(server?.output).toContain('Data   the server of POSTGRES_URL');
    server?.kill('SIGTERM');
    expect(await server?.ended).toEqual({ code: 0, signal: null });
    expect(await admin('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('refuses a superuser', async () => {
    expect(await refusal({ POSTGRES_URL: database.adminUrl })).toMatch(/"postgres" of POSTGRES_URL is a superuser/);
  });

  it('refuses a superuser as the platform login', async () => {
    const output = await refusal({ POSTGRES_PLATFORM_URL: database.adminUrl });
    expect(output).toMatch(/"postgres" of POSTGRES_PLATFORM_URL is a superuser/);
  });

  it("refuses the owner's login", async () => {
    const output = await refusal({ POSTGRES_URL: database.urls.owner });
    expect(output).toMatch(/"tenantry_owner" of POSTGRES_URL owns .*app\.roles/);
  });

  it.each([
    ['has BYPASSRLS', 'BYPASSRLS', 'tenantry_app'],
    ['owns app.', '', 'tenantry_app, tenantry_owner'],
    ['is a superuser', '', 'tenantry_app, postgres'],
  ])('refuses a login that %s, directly or through a role', async (reason, attributes, roles) => {
    const name = `test_${randomBytes(4).toString('hex')}`;
    const password = randomBytes(12).toString('hex');
    await admin(`CREATE ROLE ${name} LOGIN ${attributes} PASSWORD ${pg.escapeLiteral(password)} IN ROLE ${roles}`);
    try {
      const output = await refusal({ POSTGRES_URL: urlFor(database.urls.app, database.name, { name, password }) });
      expect(output).toContain(`the login "${name}" of POSTGRES_URL ${reason}`);
    } finally {
      await admin(`DROP ROLE ${name}`);
    }
  });

  it.each([
    ['whose row-level security is not forced', 'app.roles', 'ALTER TABLE app.roles NO FORCE ROW LEVEL SECURITY'],
    ['whose row-level security is off', 'audit.events', 'ALTER TABLE audit.events DISABLE ROW LEVEL SECURITY'],
    ['that nobody has protected', 'app.later', 'CREATE TABLE app.later (tenant_id uuid, id uuid)'],
  ])('refuses a database with a tenant table %s', async (_, table, sql) => {
    await admin(sql);
    expect(await refusal()).toContain(`tables without forced row-level security: ${table}.\n`);
  });

  it('names the migrations that are to come', async () => {
    const [last] = await database.query<{ name: string }>(
      'admin',
      `DELETE FROM public._prisma_migrations WHERE migration_name = (SELECT max(migration_name) FROM public._prisma_migrations)
       RETURNING migration_name AS name`,
    );
    expect(await refusal()).toBe(
      `The database lacks migrations: ${last?.name}.\n` +
        "Apply them with the owner's login: npx prisma migrate deploy (it reads POSTGRES_OWNER_URL).\n",
    );
  });

  it('names a migration that has failed', async () => {
    await admin('UPDATE public._prisma_migrations SET finished_at = NULL');
    expect(await refusal()).toMatch(/A migration of the database has failed: \d+_create_tenant_protection/);
  });

  it('says that the password is wrong', async () => {
    const output = await refusal({ POSTGRES_URL: withPassword(database.urls.app, 'not-the-password') });
    expect(output).toMatch(/^PostgreSQL at \S+ refuses the password of tenantry_app\.\n$/);
  });

  it("says that the platform login's password is wrong", async () => {
    const output = await refusal({ POSTGRES_PLATFORM_URL: withPassword(database.urls.platform, 'not-the-password') });
    expect(output).toMatch(/^POSTGRES_PLATFORM_URL does not work: .*tenantry_platform.*\n$/);
  });

  it('says that no server answers', async () => {
    const nowhere = 'postgresql://tenantry_app:the-password@127.0.0.1:1/tenantry';
    expect(await refusal({ POSTGRES_URL: nowhere })).toMatch(/^No PostgreSQL server answers at 127\.0\.0\.1:1 /);
  });

  it('says that there is no such database', async () => {
    const elsewhere = urlFor(database.urls.app, 'no_such_database');
    expect(await refusal({ POSTGRES_URL: elsewhere })).toMatch(/has no database no_such_database\.\n$/);
  });

  it('refuses a first administrator with a bad password, without repeating it', async () => {
    const output = await refusal({ BOOTSTRAP_ADMIN_PASSWORD: 'passwordpassword' });
    expect(output).toMatch(/^BOOTSTRAP_ADMIN_PASSWORD is refused: /m);
    expect(output).not.toContain('passwordpassword');
  });
});

describe('a start with a wrong configuration', () => {
  it('names every wrong variable and no value', async () => {
    const values = {
      PORT: 'seventy-seven',
      POSTGRES_URL: 'mysql://root:very-secret@localhost/db',
      SECRET_KEY: 'c2hvcnQ=',
      BOOTSTRAP_ADMIN_EMAIL: 'nobody-at-nowhere',
      BOOTSTRAP_ADMIN_PASSWORD: 'tooshort',
    };
    const output = await refusal(values);
    expect(output).toMatch(/^The configuration is wrong:\n/);
    for (const [name, value] of Object.entries(values)) {
      expect(output).toContain(`- ${name} `);
      expect(output).not.toContain(value);
    }
  });

  it('names a URL that cannot be read, and not the URL', async () => {
    const output = await refusal({ POSTGRES_URL: 'postgresql://tenantry_app:se/cret#word@localhost:5432/tenantry' });
    expect(output).toMatch(/- POSTGRES_URL .*percent-encode/);
    expect(output).not.toMatch(/se\/cret|#word/);
  });

  it('wants the platform login beside the other', async () => {
    expect(await refusal({ POSTGRES_PLATFORM_URL: '' })).toContain(
      'POSTGRES_PLATFORM_URL must be set when POSTGRES_URL is',
    );
  });

  it('refuses sample secrets in production', async () => {
    const output = await refusal({ NODE_ENV: 'production', BOOTSTRAP_ADMIN_PASSWORD: 'please-change-me-now' });
    expect(output).toContain('SECRET_KEY must be set in production');
    expect(output).toContain('BOOTSTRAP_ADMIN_PASSWORD is a sample value');
    expect(output).not.toContain('please-change-me-now');
  });
});
