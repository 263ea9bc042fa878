import { Test, type TestingModule } from '@nestjs/testing';
import { AccessModule } from '../../src/access/access.module';
import { AuditModule } from '../../src/audit/audit.module';
import { AuthCleanup } from '../../src/auth/auth-cleanup';
import { AuthModule } from '../../src/auth/auth.module';
import { AuthService } from '../../src/auth/auth.service';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { SignInService } from '../../src/auth/sign-in.service';
import { newId } from '../../src/common/id';
import { ConfigModule } from '../../src/config/config.module';
import { type Env, readEnv } from '../../src/config/env';
import { CredentialsModule } from '../../src/credentials/credentials.module';
import { PasswordsService } from '../../src/credentials/passwords.service';
import { DatabaseModule } from '../../src/database/database.module';
import { HttpModule } from '../../src/http/http.module';
import { newDatabase, type TestDatabase } from '../support/postgres';

const SECRET_KEY = Buffer.alloc(32, 7).toString('base64');
const PASSWORD = 'violet lantern orbit';
const ORIGIN = { address: '203.0.113.7', userAgent: '', requestId: 'r1' };

let database: TestDatabase;
let instances: TestingModule[];

beforeEach(async () => {
  database = await newDatabase();
  instances = [];
});

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.close()));
  await database.drop();
});

/** What signing in needs, without HTTP. */
async function start(overrides: Partial<Env> = {}): Promise<TestingModule> {
  const env = Object.assign(readEnv({ NODE_ENV: 'test', SECRET_KEY }), overrides);
  const instance = await Test.createTestingModule({
    imports: [
      ConfigModule.forRoot(env),
      DatabaseModule.forRoot(database.urls),
      AccessModule,
      AuditModule,
      CredentialsModule,
      HttpModule,
      AuthModule,
    ],
  }).compile();
  instances.push(instance);
  return instance.init();
}

const ensure = async (overrides?: Partial<Env>) =>
  (await start(overrides)).get(BootstrapAdministrator).ensureAdministrator();
const canSignIn = async (email: string, password: string) =>
  (await start())
    .get(SignInService)
    .verify(email, password, ORIGIN)
    .then(
      () => true,
      () => false,
    );
const administrators = () =>
  database.query<{ email: string; status: string }>(
    'admin',
    "SELECT email, status FROM identity.users WHERE platform_role = 'administrator' ORDER BY id",
  );

async function addAccount(email: string, options: { password?: string; status?: string }): Promise<string> {
  const id = newId();
  const status = options.status ?? 'active';
  await database.query('admin', "INSERT INTO identity.users (id, email, name, status) VALUES ($1, $2, 'Ada', $3)", [
    id,
    email,
    status,
  ]);
  if (options.password) {
    const passwords = new PasswordsService();
    await database.query('admin', 'INSERT INTO identity.credentials (user_id, password_hash) VALUES ($1, $2)', [
      id,
      await passwords.hash(options.password),
    ]);
  }
  return id;
}

describe('BootstrapAdministrator', () => {
  it('makes an administrator with a password that it shows once', async () => {
    const made = await ensure();
    expect(made).toEqual({
      email: 'admin@tenantry.localhost',
      password: expect.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{24}$/) as string,
    });
    expect(await canSignIn(made!.email, made!.password!)).toBe(true);
    expect(await ensure()).toBeUndefined();
    expect(
      await database.query(
        'admin',
        "SELECT actor_type, after FROM audit.events WHERE action = 'administrator.created'",
      ),
    ).toEqual([{ actor_type: 'system', after: { email: made!.email, promoted: false } }]);
  });

  it('makes the configured one and keeps its password to itself', async () => {
    const made = await ensure({ BOOTSTRAP_ADMIN_EMAIL: 'Root@Example.com', BOOTSTRAP_ADMIN_PASSWORD: PASSWORD });
    expect(made).toEqual({ email: 'root@example.com' });
    expect(await canSignIn('root@example.com', PASSWORD)).toBe(true);
  });

  it('makes one, however many instances start at once', async () => {
    const starting = await Promise.all([start(), start(), start()]);
    const made = await Promise.all(
      starting.map((instance) => instance.get(BootstrapAdministrator).ensureAdministrator()),
    );
    expect(made.filter(Boolean)).toHaveLength(1);
    expect(await administrators()).toHaveLength(1);
  });

  it('promotes an account that is there already, which keeps its password', async () => {
    await addAccount('root@example.com', { password: 'seven wet otters sing', status: 'disabled' });
    const made = await ensure({ BOOTSTRAP_ADMIN_EMAIL: 'root@example.com', BOOTSTRAP_ADMIN_PASSWORD: PASSWORD });
    expect(made).toEqual({ email: 'root@example.com', promoted: true });
    expect(await administrators()).toEqual([{ email: 'root@example.com', status: 'active' }]);
    expect(await canSignIn('root@example.com', 'seven wet otters sing')).toBe(true);
    expect(await canSignIn('root@example.com', PASSWORD)).toBe(false);
  });

  it('gives a password to an account that has none', async () => {
    await addAccount('root@example.com', {});
    const made = await ensure({ BOOTSTRAP_ADMIN_EMAIL: 'root@example.com' });
    expect(await canSignIn('root@example.com', made!.password!)).toBe(true);
  });

  it('refuses to start with a weak password, and does not repeat it', async () => {
    const refusal: unknown = await ensure({ BOOTSTRAP_ADMIN_PASSWORD: 'password password' }).catch(
      (error: unknown) => error,
    );
    expect(refusal).toMatchObject({
      name: 'StartupError',
      message: expect.stringMatching(/^BOOTSTRAP_ADMIN_PASSWORD is refused/) as string,
    });
    expect((refusal as Error).message).not.toContain('password password');
    expect(await administrators()).toEqual([]);
  });
});

describe('a sign-in during which the account changes', () => {
  it.each([
    [
      'its password was changed',
      "UPDATE identity.credentials SET password_hash = '$argon2id$other' WHERE user_id = $1",
    ],
    ['its password was taken away', 'DELETE FROM identity.credentials WHERE user_id = $1'],
    ['it was disabled', "UPDATE identity.users SET status = 'disabled' WHERE id = $1"],
  ])('starts no session when %s after the password was verified', async (_, change) => {
    const id = await addAccount('ada@example.com', { password: PASSWORD });
    const instance = await start();
    const person = await instance.get(SignInService).verify('ada@example.com', PASSWORD, ORIGIN);
    await database.query('admin', change, [id]);
    await expect(instance.get(AuthService).signIn(person, ORIGIN)).rejects.toMatchObject({
      code: 'invalid_credentials',
    });
    expect(await database.query('admin', 'SELECT id FROM identity.sessions')).toEqual([]);
  });
});

describe('AuthCleanup', () => {
  async function addSession(accountId: string, ends: { expires: string; ended?: string }): Promise<string> {
    const id = newId();
    await database.query(
      'admin',
      `INSERT INTO identity.sessions (id, user_id, address, user_agent, expires_at, ended_at, end_reason)
       VALUES ($1, $2, '203.0.113.7', '', now() + $3::interval, now() + $4::interval, CASE WHEN $4 IS NULL THEN NULL ELSE 'signed_out' END)`,
      [id, accountId, ends.expires, ends.ended ?? null],
    );
    await database.query(
      'admin',
      "INSERT INTO identity.refresh_tokens (token_hash, session_id, used_at) VALUES (decode($1, 'hex'), $2, now())",
      [id.replaceAll('-', ''), id],
    );
    return id;
  }

  const left = async (sql: string) => (await database.query<{ value: string }>('admin', sql)).map(({ value }) => value);

  it('removes what is dead and keeps what still tells something', async () => {
    const accountId = await addAccount('ada@example.com', {});
    const live = await addSession(accountId, { expires: '1 day' });
    const ended = await addSession(accountId, { expires: '1 day', ended: '-1 day' });
    const expired = await addSession(accountId, { expires: '-29 days' });
    await addSession(accountId, { expires: '-31 days' });
    await database.query(
      'admin',
      "INSERT INTO identity.sign_in_attempts (key, points, expire) VALUES ('old', 1, $1), ('new', 1, $2)",
      [Date.now() - 1_000, Date.now() + 60_000],
    );

    const [one, other] = [await start(), await start()];
    await Promise.all([one.get(AuthCleanup).run(), other.get(AuthCleanup).run()]);

    expect(await left('SELECT id AS value FROM identity.sessions ORDER BY id')).toEqual([live, ended, expired]);
    expect(await left('SELECT session_id AS value FROM identity.refresh_tokens')).toEqual([live]);
    expect(await left('SELECT key AS value FROM identity.sign_in_attempts')).toEqual(['new']);
  });
});
