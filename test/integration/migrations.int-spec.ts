import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { StartupError } from '../../src/common/errors';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { assertMigrated, deployMigrations, migrationStateOf } from '../../src/database/migrations';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

// A database of its own, started as `npm start` does, beside a copy of the project whose migrations can be spoilt.
const ROOT = path.resolve(__dirname, '..', '..');
const FIRST = readdirSync(path.join(ROOT, 'prisma', 'migrations')).sort()[0] ?? '';
const LATER = '20991231000000_later';

let directory: string;
let database: EmbeddedDatabase;
let project: string;

async function asOwner<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: database.urls.owner });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

function addMigration(sql: string): void {
  const migration = path.join(project, 'prisma', 'migrations', LATER);
  mkdirSync(migration, { recursive: true });
  writeFileSync(path.join(migration, 'migration.sql'), sql);
}

/** `npx prisma …` in the copy, with no variable set but where the data live. */
function prisma(...args: string[]): { status: number | null; output: string } {
  const cli = path.join(ROOT, 'node_modules', 'prisma', 'build', 'index.js');
  const env = { PATH: process.env.PATH, HOME: directory, DATA_DIR: directory, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: project,
    env,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartupError);
  return (error as StartupError).message;
}

beforeAll(async () => {
  directory = makeTestDirectory();
  database = await startEmbeddedDatabase(directory);
});

beforeEach(() => {
  project = path.join(directory, 'project');
  mkdirSync(project);
  for (const part of ['prisma', 'prisma.config.ts', 'tools', 'package.json']) {
    cpSync(path.join(ROOT, part), path.join(project, part), { recursive: true });
  }
  symlinkSync(path.join(ROOT, 'node_modules'), path.join(project, 'node_modules'));
});

afterEach(async () => {
  await asOwner(`DELETE FROM _prisma_migrations WHERE migration_name > '2099'; DROP TABLE IF EXISTS app.later`);
  rmSync(project, { recursive: true });
});

afterAll(async () => {
  await database.stop();
  removeTestDirectory(directory);
});

describe('startEmbeddedDatabase', () => {
  it('migrates: the app login finds nothing to do', async () => {
    expect(await migrationStateOf(database.urls.app)).toEqual({ pending: [], failed: [], edited: [] });
    await expect(assertMigrated(database.urls.app, 5_000)).resolves.toBeUndefined();
  });

  it("keeps the logins' URLs to itself", () => {
    const file = path.join(directory, 'logins.json');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(database.urls);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('keeps passwords and data over a restart', async () => {
    const { urls } = database;
    await asOwner('CREATE TABLE app.later AS SELECT 1 AS id');
    await database.stop();
    database = await startEmbeddedDatabase(directory);
    expect(database.urls).toEqual(urls);
    expect(await asOwner('SELECT id FROM app.later')).toEqual([{ id: 1 }]);
  });
});

describe('pendingMigrations', () => {
  it('names all where nothing was ever migrated', async () => {
    await asOwner('ALTER TABLE _prisma_migrations RENAME TO aside');
    const { pending, failed } = await migrationStateOf(database.urls.app);
    await asOwner('ALTER TABLE aside RENAME TO _prisma_migrations');
    expect(pending[0]).toBe(FIRST);
    expect(failed).toEqual([]);
  });

  it('tells a new migration from an edited one, and from one whose line ends changed', async () => {
    addMigration('SELECT 1;');
    const file = path.join(project, 'prisma', 'migrations', FIRST, 'migration.sql');
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('\n', '\r\n'));
    expect(await migrationStateOfCopy()).toEqual({ pending: [LATER], failed: [], edited: [] });
    appendFileSync(file, '-- more');
    expect(await migrationStateOfCopy()).toEqual({ pending: [LATER], failed: [], edited: [FIRST] });
  });

  it('stops a start and names the migrations that are missing', async () => {
    await asOwner(`UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = '${FIRST}'`);
    const reason = await reasonOf(assertMigrated(database.urls.app, 5_000));
    await asOwner('UPDATE _prisma_migrations SET rolled_back_at = NULL');
    expect(reason).toContain(FIRST);
    expect(reason).toContain('npx prisma migrate deploy');
  });

  async function migrationStateOfCopy(): ReturnType<typeof migrationStateOf> {
    return migrationStateOf(database.urls.app, undefined, project);
  }
});

describe('deployMigrations', () => {
  it('applies what is pending, function bodies and all', async () => {
    addMigration(`DO $$ BEGIN CREATE TABLE app.later (id int); INSERT INTO app.later VALUES (1); END $$;`);
    await deployMigrations(database.urls.owner, project);
    expect(await asOwner('SELECT id FROM app.later')).toEqual([{ id: 1 }]);
  });

  it("stops at a bad migration with PostgreSQL's own reason, and stays stopped", async () => {
    addMigration('CREATE TABLE app.later (id int);\n\nSELECT nonsense;');
    const reason = await reasonOf(deployMigrations(database.urls.owner, project));
    expect(reason).toContain(LATER);
    expect(reason).toContain('P3018');
    expect(reason).toContain('column "nonsense" does not exist (line 3, SQLSTATE 42703)');
    expect(await migrationStateOf(database.urls.app, undefined, project)).toMatchObject({
      pending: [],
      failed: [LATER],
    });
    expect(await reasonOf(deployMigrations(database.urls.owner, project))).toContain('P3009');
  });

  it('gives the reason without the password when it cannot sign in', async () => {
    const url = database.urls.owner.replace(/owner:[^@]*@/, 'owner:wrong-secret@');
    const reason = await reasonOf(deployMigrations(url, project));
    expect(reason).toContain('P1000');
    expect(reason).not.toContain('wrong-secret');
  });
});

describe('npx prisma migrate, with no variable set', () => {
  it('status: up to date', () => {
    const { status, output } = prisma('migrate', 'status');
    expect(output).toContain('Database schema is up to date');
    expect(status).toBe(0);
  });

  it('dev: finds no drift and makes a migration of a changed schema', () => {
    const schema = path.join(project, 'prisma', 'schema.prisma');
    appendFileSync(schema, '\nmodel Later {\n  id Int @id\n  @@map("later")\n  @@schema("app")\n}\n');
    const { status, output } = prisma('migrate', 'dev', '--name', 'later');
    expect(output).toContain('Your database is now in sync');
    expect(status).toBe(0);
    const made = readdirSync(path.join(project, 'prisma', 'migrations')).find((name) => name.endsWith('_later')) ?? '';
    const sql = readFileSync(path.join(project, 'prisma', 'migrations', made, 'migration.sql'), 'utf8');
    expect(sql.match(/^[A-Z]+ .*$/gm)).toEqual(['CREATE TABLE "app"."later" (']);
  });

  it('reset: drops everything and migrates again, so that the app login can serve', async () => {
    await asOwner('CREATE TABLE app.later (id int)');
    const { status, output } = prisma('migrate', 'reset', '--force');
    expect(output).toContain('Database reset successful');
    expect(status).toBe(0);
    expect(await asOwner(`SELECT to_regclass('app.later') AS later`)).toEqual([{ later: null }]);
    expect(await migrationStateOf(database.urls.app)).toEqual({ pending: [], failed: [], edited: [] });
  });

  it('deploy: applies a new migration as the owner', async () => {
    addMigration('CREATE TABLE app.later (id int);');
    const { status, output } = prisma('migrate', 'deploy');
    expect(output).toContain(LATER);
    expect(status).toBe(0);
    expect(await asOwner(`SELECT tableowner FROM pg_tables WHERE tablename = 'later'`)).toEqual([
      { tableowner: 'tenantry_owner' },
    ]);
  });
});
