import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { connectAsAdministrator } from '../../src/database/administrator';
import { LOGINS } from '../../src/database/login-definitions';
import { ensureTimeouts, type TimeoutEnv } from '../../src/database/login-timeouts';
import { urlFor } from '../../src/database/server-connection';
import { newDatabase, type TestDatabase } from '../support/postgres';

// Settings of a role in one database: other suites on the same server do not see them.
const WANTED: TimeoutEnv = {
  POSTGRES_STATEMENT_TIMEOUT_MS: 1_500,
  POSTGRES_LOCK_TIMEOUT_MS: 150,
  POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS: 250,
};
const SERVING = ['app', 'platform'] as const;

let database: TestDatabase;
beforeEach(async () => {
  database = await newDatabase({ timeouts: WANTED });
});
afterEach(() => database.drop());

/** What a session has that asks for nothing itself: what PgBouncer's connections are. */
async function timeoutsOf(login: keyof typeof LOGINS): Promise<Record<string, string>> {
  const [row] = await database.query<Record<string, string>>(
    login,
    `SELECT current_setting('statement_timeout') AS statement, current_setting('lock_timeout') AS lock,
            current_setting('idle_in_transaction_session_timeout') AS idle, current_setting('work_mem') AS memory`,
  );
  return row!;
}

async function ensure(adminUrl = database.adminUrl): Promise<Awaited<ReturnType<typeof ensureTimeouts>>> {
  const admin = await connectAsAdministrator(adminUrl);
  try {
    return await ensureTimeouts(admin, database.name, WANTED);
  } finally {
    await admin.client.end();
  }
}

const alter = (sql: string): Promise<unknown> =>
  database.query('admin', sql.replace('DATABASE ?', `DATABASE ${database.name}`));
const OWN = { statement: '1500ms', lock: '150ms', idle: '250ms' };

describe('ensureTimeouts', () => {
  it('gives the logins that serve requests their timeouts, however a connection comes about, and no other login', async () => {
    for (const login of SERVING) expect(await timeoutsOf(login)).toMatchObject(OWN);
    for (const login of ['owner', 'monitor', 'backup'] as const)
      expect(await timeoutsOf(login)).toMatchObject({ statement: '0', lock: '0', idle: '0' });
  });

  it('has the server end what takes too long', async () => {
    const slow = database.query('app', 'SELECT pg_sleep(30)');
    await expect(slow).rejects.toMatchObject({ code: '57014', message: expect.stringContaining('statement timeout') });

    await database.inTransaction('admin', undefined, async (holder) => {
      await holder.query('LOCK TABLE app.roles IN ACCESS EXCLUSIVE MODE');
      await expect(database.query('app', 'SELECT count(*) FROM app.roles')).rejects.toMatchObject({ code: '55P03' });
    });

    const idle = await database.connect('platform');
    const ended = new Promise<{ code?: string }>((resolve) => idle.once('error', resolve));
    await idle.query('BEGIN');
    expect(await ended).toMatchObject({ code: '25P03' });
  });

  it('changes nothing when run again', async () => {
    expect(await ensure()).toEqual({ changed: [], notes: [] });
  });

  it('puts right what an operator has set otherwise or reset, and says whose it was', async () => {
    await alter(`ALTER ROLE tenantry_app IN DATABASE ? SET statement_timeout = '1h'`);
    expect(await timeoutsOf('owner')).toMatchObject({ statement: '0' });
    expect(await ensure()).toEqual({ changed: ['tenantry_app'], notes: [] });
    await alter('ALTER ROLE tenantry_platform IN DATABASE ? RESET ALL');
    expect(await ensure()).toEqual({ changed: ['tenantry_platform'], notes: [] });
    for (const login of SERVING) expect(await timeoutsOf(login)).toMatchObject(OWN);
  });

  it('leaves an operator’s other settings of the login as they are', async () => {
    await alter(`ALTER ROLE tenantry_app IN DATABASE ? SET work_mem = '7MB'`);
    await alter('ALTER ROLE tenantry_app IN DATABASE ? RESET lock_timeout');
    expect(await ensure()).toEqual({ changed: ['tenantry_app'], notes: [] });
    expect(await timeoutsOf('app')).toMatchObject({ ...OWN, memory: '7MB' });
  });

  it('wins over what an operator has set for the whole database', async () => {
    await alter(`ALTER DATABASE ? SET statement_timeout = '1h'`);
    expect(await ensure()).toEqual({ changed: [], notes: [] });
    expect(await timeoutsOf('app')).toMatchObject(OWN);
    expect(await timeoutsOf('owner')).toMatchObject({ statement: '1h' });
  });

  it('tells an administrator who may not what a superuser has to run, and that does it', async () => {
    const name = `manager_${randomBytes(4).toString('hex')}`;
    const password = randomBytes(12).toString('hex');
    await database.query('admin', `CREATE ROLE ${name} LOGIN CREATEDB PASSWORD ${pg.escapeLiteral(password)}`);
    try {
      await alter('ALTER ROLE tenantry_app IN DATABASE ? RESET ALL');
      await database.query('admin', `GRANT CONNECT ON DATABASE ${database.name} TO ${name}`);
      const client = new pg.Client({ connectionString: urlFor(database.adminUrl, database.name, { name, password }) });
      await client.connect();
      const admin = { client, name, isSuperuser: false, serverMajor: 15 };
      const { changed, notes } = await ensureTimeouts(admin, database.name, WANTED);
      await client.end();
      expect(changed).toEqual([]);
      expect(notes).toEqual([
        expect.stringMatching(/^tenantry_app has no timeouts of its own: .* As a superuser run: /),
      ]);
      await database.query('admin', notes[0]!.split('As a superuser run: ')[1]!);
      expect(await ensure()).toEqual({ changed: [], notes: [] });
    } finally {
      await database.query('admin', `DROP OWNED BY ${name}`);
      await database.query('admin', `DROP ROLE ${name}`);
    }
  });
});
