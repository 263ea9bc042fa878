import { createHash, createPublicKey, verify } from 'node:crypto';
import { hash } from '@node-rs/argon2';
import { SignInService } from '../../src/auth/sign-in.service';
import { newId } from '../../src/common/id';
import { PasswordsService } from '../../src/credentials/passwords.service';
import { CallersPresence, whileWanted } from '../../src/database/abandonment';
import { type Account, bearer, claimsOf, newAccount, newSession } from '../support/account';
import type { ApiResponse } from '../support/api-client';
import { createTestApp, type TestApp, type Tokens } from '../support/app';
import { eventually } from '../support/eventually';

const NEW_PASSWORD = 'seven wet otters sing';

let app: TestApp;

beforeAll(async () => {
  app = await createTestApp();
});

afterAll(() => app.close());

const login = ({ email, password }: Pick<Account, 'email' | 'password'>, address?: string) =>
  app.anonymous(address).post<Tokens>('/v1/auth/login', { email, password });
const refresh = (refreshToken: string) => app.anonymous().post<Tokens>('/v1/auth/refresh', { refreshToken });
const me = ({ accessToken }: Pick<Tokens, 'accessToken'>) => bearer(app, accessToken).get('/v1/auth/me');

/** Moves the first use of a refresh token into the past. */
const ageUse = (refreshToken: string, seconds: number) =>
  app.database.query(
    'admin',
    'UPDATE identity.refresh_tokens SET used_at = used_at - make_interval(secs => $2) WHERE token_hash = $1',
    [createHash('sha256').update(refreshToken).digest(), seconds],
  );

const eventsOn = (targetId: string) =>
  app.database.query<{ action: string; result: string; after: unknown }>(
    'admin',
    'SELECT action, result, actor_type, actor_account_id, target_type, after, address FROM audit.events WHERE target_id = $1 ORDER BY id',
    [targetId],
  );

describe('POST /v1/auth/login', () => {
  it('answers tokens that work', async () => {
    const person = await newAccount(app);
    const response = await login(person);
    expect(response.status).toBe(200);
    expect(response.body).toEqual({
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refreshToken: expect.stringMatching(/^rt_[\w-]{43}$/),
      tokenType: 'Bearer',
      expiresIn: 600,
    });
    expect(response.headers['cache-control']).toBe('no-store');
    expect((await me(response.body)).status).toBe(200);
  });

  it('takes the e-mail address however it is written', async () => {
    const person = await newAccount(app);
    expect((await login({ ...person, email: `  ${person.email.toUpperCase()} ` })).status).toBe(200);
  });

  it.each([
    ['its password is changed', 'UPDATE identity.credentials SET password_hash = $2 WHERE user_id = $1'],
    ['it is disabled', `UPDATE identity.users SET status = 'disabled' WHERE id = $1 AND $2 <> ''`],
  ])('starts no session of an account while %s', async (_, change) => {
    const person = await newAccount(app);
    const changing = await app.database.connect('admin');
    await changing.query('BEGIN');
    await changing.query('SELECT FROM identity.users WHERE id = $1 FOR UPDATE', [person.id]);
    const response = login(person).then((answer) => answer);
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    await eventually(async () => expect(await app.database.query('admin', waiting)).toHaveLength(1));
    await changing.query(change, [person.id, await app.nest.get(PasswordsService).hash(NEW_PASSWORD)]);
    await changing.query('COMMIT');
    await changing.end();
    (await response).expectProblem(401, 'invalid_credentials');
    expect(await app.database.query('admin', 'SELECT FROM identity.sessions WHERE user_id = $1', [person.id])).toEqual(
      [],
    );
    const events = `SELECT action FROM audit.events WHERE actor_account_id = $1 AND action = 'session.started'`;
    expect(await app.database.query('admin', events, [person.id])).toEqual([]);
  });

  it('gives the same answer to a wrong password and to an unknown e-mail address', async () => {
    const person = await newAccount(app);
    const wrong = await login({ ...person, password: 'wrong' });
    const unknown = await login({ email: `${newId()}@example.com`, password: 'wrong' });
    wrong.expectProblem(401, 'invalid_credentials');
    unknown.expectProblem(401, 'invalid_credentials');
    const comparable = ({ body }: ApiResponse) => ({ ...(body as object), requestId: '' });
    expect(comparable(wrong)).toEqual(comparable(unknown));
    expect(Object.keys(wrong.headers)).toEqual(Object.keys(unknown.headers));
  });

  it('does the same work for a wrong password, an unknown e-mail address, and an account without a password', async () => {
    const person = await newAccount(app);
    const withoutPassword = await newAccount(app, { password: null });
    const emails = [() => person.email, () => `${newId()}@example.com`, () => withoutPassword.email];
    const hashing = jest.spyOn(app.nest.get(PasswordsService), 'verify');
    const times = emails.map(() => [] as number[]);
    for (let run = 0; run < 9; run++) {
      const address = `198.51.100.${run}`;
      for (const [kind, email] of emails.entries()) {
        const started = performance.now();
        await login({ email: email(), password: 'wrong' }, address);
        times[kind]!.push(performance.now() - started);
      }
    }
    expect(hashing).toHaveBeenCalledTimes(3 * 9);
    // The fastest of each: what else this machine does only adds. That verify() takes its time without a hash, too, is
    // measured in passwords.service.spec.ts, where nothing else is in the way.
    const fastest = times.map((values) => Math.min(...values));
    expect(Math.min(...fastest)).toBeGreaterThan(Math.max(...fastest) / 3);
  });

  it('never takes the password from the query string', async () => {
    const { email, password } = await newAccount(app);
    const query = new URLSearchParams({ email, password }).toString();
    const response = await app.anonymous().post(`/v1/auth/login?${query}`, { email });
    response.expectProblem(422, 'invalid_input');
    expect(pointersOf(response.body)).toEqual(['/password']);
  });

  it.each([
    ['no body', undefined, ['']],
    ['no e-mail address', { password: 'violet lantern orbit' }, ['/email']],
    ['a number for a password', { email: 'ada@example.com', password: 1 }, ['/password']],
    ['an object for an e-mail address', { email: { contains: '@' }, password: 'violet lantern orbit' }, ['/email']],
    ['NUL', { email: 'ada@example.com', password: 'a\0b' }, ['/password']],
    [
      'more than it asks for',
      { email: 'ada@example.com', password: 'violet lantern orbit', isAdmin: true },
      ['/isAdmin'],
    ],
  ])('refuses %s', async (_, body, pointers) => {
    const response = await app.anonymous().post('/v1/auth/login', body);
    response.expectProblem(422, 'invalid_input');
    expect(pointersOf(response.body)).toEqual(pointers);
  });

  it('tells that an account is disabled to those alone who know its password', async () => {
    const person = await newAccount(app, { status: 'disabled' });
    (await login({ ...person, password: 'wrong' })).expectProblem(401, 'invalid_credentials');
    (await login(person)).expectProblem(403, 'account_disabled');
  });

  it('hashes anew when the parameters have risen, and only then', async () => {
    const person = await newAccount(app);
    const stored = async () =>
      (
        await app.database.query<{ password_hash: string }>(
          'admin',
          'SELECT password_hash FROM identity.credentials WHERE user_id = $1',
          [person.id],
        )
      )[0]!.password_hash;
    await app.database.query('admin', 'UPDATE identity.credentials SET password_hash = $2 WHERE user_id = $1', [
      person.id,
      await hash(person.password, { memoryCost: 8_192, timeCost: 1, parallelism: 1 }),
    ]);
    expect((await login(person)).status).toBe(200);
    const renewed = await stored();
    expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await login(person)).status).toBe(200);
    expect(await stored()).toBe(renewed);
  });

  it('records who came and who was refused, and never what a stranger typed', async () => {
    const person = await newAccount(app);
    const session = await newSession(app, person);
    await login({ ...person, password: 'wrong' });
    expect(await eventsOn(session.id)).toEqual([
      expect.objectContaining({
        action: 'session.started',
        result: 'success',
        actor_type: 'user',
        actor_account_id: person.id,
      }),
    ]);
    expect(await eventsOn(person.id)).toEqual([
      expect.objectContaining({
        action: 'session.refused',
        result: 'failure',
        actor_type: 'anonymous',
        after: { reason: 'wrong_password' },
      }),
    ]);
    const typedByMistake = `my-secret-${newId()}@example.com`;
    await login({ email: typedByMistake, password: 'my other secret' });
    const trail = JSON.stringify(await app.database.query('admin', 'SELECT * FROM audit.events'));
    expect(trail).not.toContain('my-secret');
    expect(trail).not.toContain('my other secret');
  });

  it('records who was refused, even if he does not wait for the answer', async () => {
    const person = await newAccount(app);
    const caller = new CallersPresence();
    jest.spyOn(app.nest.get(PasswordsService), 'verify').mockImplementationOnce(async () => {
      caller.end();
      return false;
    });
    const origin = { address: '198.51.100.99', userAgent: 'x', requestId: newId() };
    const guess = whileWanted(caller, () => app.nest.get(SignInService).verify(person.email, 'wrong', origin));
    await expect(guess).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect(await eventsOn(person.id)).toEqual([
      expect.objectContaining({ action: 'session.refused', after: { reason: 'wrong_password' } }),
    ]);
  });
});

describe('POST /v1/auth/refresh', () => {
  it('exchanges a refresh token for new tokens of the same session', async () => {
    const person = await newAccount(app);
    const before = await newSession(app, person);
    const response = await refresh(before.refreshToken);
    expect(response.status).toBe(200);
    expect(response.body).toEqual({
      accessToken: expect.any(String),
      refreshToken: expect.stringMatching(/^rt_[\w-]{43}$/),
      tokenType: 'Bearer',
      expiresIn: 600,
    });
    const after = response.body;
    expect(after.refreshToken).not.toBe(before.refreshToken);
    expect(claimsOf(after.accessToken).sid).toBe(before.id);
    expect((await eventsOn(before.id)).map((event) => event.action)).toEqual(['session.started', 'session.refreshed']);
  });

  it('gives racing tabs a successor each, within the grace', async () => {
    const { refreshToken } = await newSession(app, await newAccount(app));
    const first = await refresh(refreshToken);
    const second = await refresh(refreshToken);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(first.body.refreshToken).not.toBe(second.body.refreshToken);
    for (const { body } of [first, second]) expect((await refresh(body.refreshToken)).status).toBe(200);
  });

  it('signs nobody out by twenty parallel refreshes', async () => {
    const { refreshToken } = await newSession(app, await newAccount(app));
    const responses = await Promise.all(Array.from({ length: 20 }, () => refresh(refreshToken)));
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(new Set(responses.map(({ body }) => body.refreshToken)).size).toBe(20);
    for (const { body } of responses) expect((await me(body)).status).toBe(200);
  });

  it('ends the session when a token comes back after the grace', async () => {
    const before = await newSession(app, await newAccount(app));
    const after = (await refresh(before.refreshToken)).body;
    await ageUse(before.refreshToken, 11);
    (await refresh(before.refreshToken)).expectProblem(401, 'refresh_token_reused');
    (await refresh(after.refreshToken)).expectProblem(401, 'session_ended');
    (await me(after)).expectProblem(401, 'session_ended');
    (await me(before)).expectProblem(401, 'session_ended');
    expect((await eventsOn(before.id)).at(-1)).toMatchObject({ action: 'session.reuse_detected', result: 'denied' });
    expect(await endReasonOf(before.id)).toBe('reuse_detected');
  });

  it('does not end it just before', async () => {
    const before = await newSession(app, await newAccount(app));
    await refresh(before.refreshToken);
    await ageUse(before.refreshToken, 5);
    expect((await refresh(before.refreshToken)).status).toBe(200);
  });

  it('refuses an access token, a made-up one, and none', async () => {
    const { accessToken } = await newSession(app, await newAccount(app));
    (await refresh(accessToken)).expectProblem(401, 'invalid_refresh_token');
    (await refresh(`rt_${'A'.repeat(43)}`)).expectProblem(401, 'invalid_refresh_token');
    (await refresh('')).expectProblem(422, 'invalid_input');
  });

  it('refuses an expired session, however young its token is', async () => {
    const tokens = await newSession(app, await newAccount(app));
    await app.database.query('admin', 'UPDATE identity.sessions SET expires_at = now() WHERE id = $1', [tokens.id]);
    (await refresh(tokens.refreshToken)).expectProblem(401, 'session_ended');
    (await me(tokens)).expectProblem(401, 'session_ended');
  });

  it('stores no token, only hashes', async () => {
    const { refreshToken } = await newSession(app, await newAccount(app));
    const rows = await app.database.query<{ token_hash: Buffer }>(
      'admin',
      'SELECT token_hash FROM identity.refresh_tokens',
    );
    const hashes = rows.map((row) => row.token_hash.toString('hex'));
    expect(hashes).toContain(createHash('sha256').update(refreshToken).digest('hex'));
    expect(rows.every((row) => row.token_hash.length === 32)).toBe(true);
  });
});

describe('POST /v1/auth/logout', () => {
  it('kills both tokens at once, and no other session', async () => {
    const person = await newAccount(app);
    const [here, there] = [await newSession(app, person), await newSession(app, person)];
    const response = await here.client.post('/v1/auth/logout');
    expect([response.status, response.body]).toEqual([204, undefined]);
    (await me(here)).expectProblem(401, 'session_ended');
    (await refresh(here.refreshToken)).expectProblem(401, 'session_ended');
    expect((await me(there)).status).toBe(200);
    expect((await eventsOn(here.id)).at(-1)).toMatchObject({
      action: 'session.ended',
      after: { reason: 'signed_out' },
    });
    expect(await endReasonOf(here.id)).toBe('signed_out');
  });

  it('wants a bearer token', async () => {
    const { refreshToken } = await newSession(app, await newAccount(app));
    (await app.anonymous().post('/v1/auth/logout')).expectProblem(401, 'unauthenticated');
    const withRefreshToken = await bearer(app, refreshToken).post('/v1/auth/logout');
    withRefreshToken.expectProblem(401, 'invalid_token');
    expect(withRefreshToken.headers['www-authenticate']).toBe('Bearer');
  });
});

describe('two instances on one database', () => {
  it("know one another's tokens, and a session that ends on one has ended on the other", async () => {
    const other = await app.secondInstance();
    const here = await newSession(app, await newAccount(app));
    await here.client.at(other).get('/v1/auth/me').expect(200);
    const there = await other
      .anonymous()
      .post<Tokens>('/v1/auth/refresh', { refreshToken: here.refreshToken })
      .expect(200);
    expect((await me(there.body)).status).toBe(200);
    await here.client.at(other).post('/v1/auth/logout').expect(204);
    await here.client.get('/v1/auth/me').expectProblem(401, 'session_ended');
    await here.client.at(other).get('/v1/auth/me').expectProblem(401, 'session_ended');
  });
});

describe('GET /v1/auth/me', () => {
  it('shows who asks, and the tenants that they are in', async () => {
    const person = await newAccount(app);
    const tenants = await joinTenants(person, ['Zebra Ltd.', 'Acme Industries']);
    const response = await me(await newSession(app, person));
    expect(response.status).toBe(200);
    expect(response.body).toEqual({
      id: person.id,
      email: person.email,
      name: person.name,
      platformAdministrator: false,
      tenants: tenants.toSorted((one, other) => one.name.localeCompare(other.name)),
    });
  });

  it('shows no tenant that is deleted', async () => {
    const person = await newAccount(app);
    const [tenant] = await joinTenants(person, ['Gone Ltd.']);
    await app.database.query('admin', 'UPDATE app.tenants SET deleted_at = now(), purge_after = now() WHERE id = $1', [
      tenant!.id,
    ]);
    expect((await me(await newSession(app, person))).body).toMatchObject({ tenants: [] });
  });

  it('knows a platform administrator', async () => {
    const administrator = await newAccount(app, { isAdministrator: true });
    expect((await me(await newSession(app, administrator))).body).toMatchObject({ platformAdministrator: true });
  });

  it('wants a bearer token', async () => {
    (await app.anonymous().get('/v1/auth/me')).expectProblem(401, 'unauthenticated');
  });
});

describe('PUT /v1/auth/password', () => {
  const change = (tokens: Tokens, body: object) => bearer(app, tokens.accessToken).put('/v1/auth/password', body);

  it('changes it and ends the other sessions', async () => {
    const person = await newAccount(app);
    const [here, there] = [await newSession(app, person), await newSession(app, person)];
    const response = await change(here, { currentPassword: person.password, newPassword: NEW_PASSWORD });
    expect([response.status, response.body]).toEqual([204, undefined]);
    expect((await me(here)).status).toBe(200);
    expect((await refresh(here.refreshToken)).status).toBe(200);
    (await me(there)).expectProblem(401, 'session_ended');
    (await refresh(there.refreshToken)).expectProblem(401, 'session_ended');
    expect(await endReasonOf(there.id)).toBe('password_changed');
    (await login(person)).expectProblem(401, 'invalid_credentials');
    expect((await login({ ...person, password: NEW_PASSWORD })).status).toBe(200);
    expect(await eventsOn(person.id)).toContainEqual(
      expect.objectContaining({ action: 'password.changed', result: 'success', after: { endedSessions: [there.id] } }),
    );
  });

  it('wants the current password, and bounds how often it can be guessed', async () => {
    const person = await newAccount(app);
    const tokens = await newSession(app, person);
    const guess = () => change(tokens, { currentPassword: 'wrong', newPassword: NEW_PASSWORD });
    const first = await guess();
    first.expectProblem(422, 'wrong_password');
    expect(pointersOf(first.body)).toEqual(['/currentPassword']);
    expect(await eventsOn(person.id)).toContainEqual(
      expect.objectContaining({ action: 'password.changed', result: 'failure', after: { reason: 'wrong_password' } }),
    );
    const guesses = await Promise.all(Array.from({ length: 12 }, guess));
    expect(guesses.filter(({ status }) => status === 422)).toHaveLength(9);
    guesses.find(({ status }) => status === 429)!.expectProblem(429, 'too_many_attempts');
    (await change(tokens, { currentPassword: person.password, newPassword: NEW_PASSWORD })).expectProblem(
      429,
      'too_many_attempts',
    );
  });

  it.each([
    ['too short', () => 'kvzrwqhplxtbnf', 'invalid_input'],
    ['too long', () => 'q7fz0kx9vw3m'.repeat(11), 'invalid_input'],
    ['common', () => 'password password', 'weak_password'],
    ['made of the own name', (person: Account) => `${person.name} 1990!`, 'weak_password'],
    ['made of the own e-mail address', (person: Account) => person.email, 'weak_password'],
    ["made of the tenant's name", () => 'Hyperborean-Widgets-26', 'weak_password'],
  ])('refuses a new one that is %s', async (_, passwordOf, code) => {
    const person = await newAccount(app);
    await joinTenants(person, ['Hyperborean Widgets']);
    const tokens = await newSession(app, person);
    const response = await change(tokens, { currentPassword: person.password, newPassword: passwordOf(person) });
    response.expectProblem(422, code);
    expect(pointersOf(response.body)).toEqual(['/newPassword']);
    expect((await login(person)).status).toBe(200);
  });

  it('lets one of two parallel changes win', async () => {
    const person = await newAccount(app);
    const tokens = await newSession(app, person);
    const changes = ['seven wet otters sing', 'eight dry herons dance'].map((newPassword) =>
      change(tokens, { currentPassword: person.password, newPassword }),
    );
    expect((await Promise.all(changes)).map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 409]);
  });

  it('wants a bearer token', async () => {
    (await app.anonymous().put('/v1/auth/password', {})).expectProblem(401, 'unauthenticated');
  });
});

describe('GET /.well-known/jwks.json', () => {
  it('publishes the key by which anybody can verify an access token', async () => {
    const response = await app.anonymous().get('/.well-known/jwks.json');
    expect(response.status).toBe(200);
    expect(response.headers['cache-control']).toBe('public, max-age=300');
    expect(response.body).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.stringMatching(/^[\w-]{43}$/),
          y: expect.stringMatching(/^[\w-]{43}$/),
          kid: expect.stringMatching(/^[\w-]{43}$/),
          alg: 'ES256',
          use: 'sig',
        },
      ],
    });
    const { keys } = response.body as { keys: [{ crv: string; kty: string; x: string; y: string; kid: string }] };
    const [{ crv, kty, x, y, kid }] = keys;
    expect(kid).toBe(createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url')); // RFC 7638

    const { accessToken } = await newSession(app, await newAccount(app));
    const [header, payload, signature] = accessToken.split('.') as [string, string, string];
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'ES256', typ: 'at+jwt', kid });
    const key = createPublicKey({ key: keys[0], format: 'jwk' });
    const proof = Buffer.from(signature, 'base64url');
    expect(verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, proof)).toBe(true);
  });

  it('keeps the private half sealed', async () => {
    const [row] = await app.database.query<{ sealed_key: Buffer; public_jwk: object }>(
      'admin',
      'SELECT * FROM identity.signing_keys',
    );
    expect(Object.keys(row!.public_jwk)).not.toContain('d');
    expect(() => createPublicKey({ key: row!.sealed_key, format: 'der', type: 'pkcs8' as 'spki' })).toThrow();
  });
});

/** Makes tenants with the person in them. */
async function joinTenants(person: Account, names: string[]) {
  return Promise.all(
    names.map(async (name) => {
      const tenant = { id: newId(), slug: `t-${newId()}`, name, userId: newId() };
      const key = name.toLowerCase();
      await app.database.query('admin', 'INSERT INTO app.tenants (id, slug, name, name_key) VALUES ($1, $2, $3, $4)', [
        tenant.id,
        tenant.slug,
        name,
        key,
      ]);
      await app.database.query(
        'admin',
        'INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key) VALUES ($1, $2, $3, $4, $5, lower($5))',
        [tenant.id, tenant.userId, person.id, person.email, person.name],
      );
      return tenant;
    }),
  );
}

async function endReasonOf(id: string): Promise<string | null> {
  const sql = 'SELECT end_reason FROM identity.sessions WHERE id = $1';
  const [row] = await app.database.query<{ end_reason: string | null }>('admin', sql, [id]);
  return row!.end_reason;
}

function pointersOf(body: unknown): string[] {
  return [...new Set((body as { errors: { pointer: string }[] }).errors.map((error) => error.pointer))];
}
