import { Env } from '../../src/config/env';
import { AppLogger } from '../../src/http/app-logger';
import { createTestApp, newPassword, type SignedInClient, type TestApp } from '../support/app';
import { newPerson, newTenantWithOwner, type TestTenant, type UserClient } from '../support/tenant';

/** How every hash, private key and connection string begins. */
const TELLTALES = ['$argon2id$', 'PRIVATE KEY', '"d":', 'postgresql://', 'postgres://'];

let app: TestApp;
/** What the log says at its most talkative, as production writes it. */
let log = '';
/** All that was secret in the run. */
const secrets: string[] = [...TELLTALES];

beforeAll(async () => {
  app = await createTestApp();
  const env = app.nest.get(Env);
  secrets.push(env.SECRET_KEY!, env.BOOTSTRAP_ADMIN_PASSWORD!, ...tokensOf(app.administrator));
  for (const url of Object.values(app.database.urls)) secrets.push(url, new URL(url).password);
  const take = (chunk: unknown): boolean => {
    log += String(chunk);
    return true;
  };
  for (const stream of [process.stdout, process.stderr]) jest.spyOn(stream, 'write').mockImplementation(take);
  app.nest.useLogger(new AppLogger({ NODE_ENV: 'production', LOG_LEVEL: 'debug' }, { destination: { write: take } }));
  try {
    const { tenant, owner } = await newTenantWithOwner(app);
    secrets.push(owner.person.password, ...tokensOf(owner));
    await failToSignIn(owner);
    await refresh(owner);
    await setPasswords(tenant, owner);
    await failInside();
    await loseConnections(owner);
  } finally {
    jest.restoreAllMocks();
    app.nest.useLogger(false);
  }
});
afterAll(() => app?.close());

async function failToSignIn({ person: { email, password }, tokens }: UserClient): Promise<void> {
  const wrong = newPassword();
  secrets.push(wrong);
  const stranger = app.anonymous();
  await stranger.post('/v1/auth/login', { email, password: wrong }).expectProblem(401, 'invalid_credentials');
  await stranger.post('/v1/auth/login', { email: wrong, password }).expectProblem(422, 'invalid_input');
  await stranger.post('/v1/auth/login', { email, password: [wrong] }).expectProblem(422, 'invalid_input');
  await stranger
    .request('POST', '/v1/auth/login', `{"email":"${email}","password":"${password}`)
    .set('content-type', 'application/json')
    .expectProblem(400, 'malformed_request');
  await stranger.get(`/v1/auth/me?access_token=${tokens.accessToken}`).expectProblem(401, 'unauthenticated');
  for (const authorization of [`Bearer ${tokens.accessToken}x`, `Bearer ${tokens.refreshToken}`]) {
    await stranger.get('/v1/auth/me').set('authorization', authorization).expect(401);
  }
}

async function refresh({ tokens: { refreshToken } }: UserClient): Promise<void> {
  const stranger = app.anonymous();
  const renewal = stranger.post('/v1/auth/refresh', { refreshToken }).set('idempotency-key', 'once');
  const { body } = await renewal.expect(200);
  secrets.push(body.accessToken, body.refreshToken);
  const forged = { refreshToken: `${refreshToken}x` };
  await stranger.post('/v1/auth/refresh', forged).expectProblem(401, 'invalid_refresh_token');
}

async function setPasswords(tenant: TestTenant, owner: UserClient): Promise<void> {
  const { email, password: currentPassword } = owner.person;
  const [wrong, newOne, hired] = [newPassword(), newPassword(), newPerson('hired')];
  secrets.push(wrong, newOne, hired.password);
  const path = '/v1/auth/password';
  await owner.put(path, { currentPassword: wrong, newPassword: newOne }).expectProblem(422, 'wrong_password');
  await owner.put(path, { currentPassword, newPassword: `${email}!` }).expectProblem(422, 'weak_password');
  await owner.put(path, { currentPassword, newPassword: newOne }).expect(204);
  const users = `/v1/tenants/${tenant.id}/users`;
  await owner.post(users, hired).expectProblem(403, 'field_not_permitted');
  await app.administrator.post(users, hired).expect(201);
}

/** PostgreSQL refuses what nobody foresaw; its reason quotes the row. */
async function failInside(): Promise<void> {
  const owner = newPerson('unlucky');
  secrets.push(owner.password);
  const tables = ['identity.credentials', 'identity.refresh_tokens'];
  const alter = (change: string) =>
    Promise.all(tables.map((table) => app.database.query('admin', `ALTER TABLE ${table} ${change}`)));
  await alter('ADD CONSTRAINT nothing_for_now CHECK (false) NOT VALID');
  const { BOOTSTRAP_ADMIN_EMAIL: email, BOOTSTRAP_ADMIN_PASSWORD: password } = app.nest.get(Env);
  await app.administrator
    .post('/v1/tenants', { name: 'Unlucky', slug: 'unlucky', owner })
    .expectProblem(500, 'internal_error');
  await app.anonymous().post('/v1/auth/login', { email, password }).expectProblem(500, 'internal_error');
  await alter('DROP CONSTRAINT nothing_for_now');
}

async function loseConnections(caller: UserClient): Promise<void> {
  await app.database.query(
    'admin',
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tenantry-%' AND datname = $1`,
    [app.database.name],
  );
  await caller.get('/v1/tenants');
}

/** Without their type and life in seconds, which are no secrets, and stand in many a text. */
const tokensOf = ({ tokens: { accessToken, refreshToken } }: SignedInClient): string[] => [accessToken, refreshToken];

/** Which of the secrets a text holds: their places in the list alone, so that no report shows them. */
const foundIn = (text: string): number[] => secrets.flatMap((secret, place) => (text.includes(secret) ? [place] : []));

describe('no password, token, hash, key or connection string', () => {
  it('stands in the log, which tells of every request and of what failed', () => {
    expect(foundIn(log)).toEqual([]);
    expect(log.split('\n').length).toBeGreaterThan(20);
    expect(log).toContain('POST /v1/auth/login 401');
    expect(log).toContain('nothing_for_now');
    expect(log).toContain('"level":"error"');
  });

  it('stands in a problem', () => {
    const problems = app.target.recorder.exchanges.filter(({ status }) => status >= 400);
    expect(problems.length).toBeGreaterThan(10);
    expect(foundIn(JSON.stringify(problems.map(({ body }) => body)))).toEqual([]);
  });

  it('stands in the audit trail', async () => {
    const [{ trail } = { trail: '' }] = await app.database.query<{ trail: string }>(
      'admin',
      `SELECT string_agg(to_jsonb(e)::text, E'\\n') AS trail FROM audit.events e`,
    );
    expect(trail).toContain('session.refused');
    expect(foundIn(trail)).toEqual([]);
  });

  it('stands in any answer, but for the tokens that sign-in and refresh give', () => {
    const answers = app.target.recorder.exchanges.filter(({ path }) => !/\/(login|refresh)$/.test(path));
    expect(foundIn(JSON.stringify(answers.map(({ body }) => body)))).toEqual([]);
  });
});
