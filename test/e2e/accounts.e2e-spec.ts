import { newId } from '../../src/common/id';
import { type Account, claimsOf, newAccount, newSession } from '../support/account';
import type { ApiClient } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
const NEW_PASSWORD = 'seven wet otters sing';

interface AccountsBody {
  data: { id: string }[];
  page: { nextCursor: string | null };
}

let app: TestApp;

beforeAll(async () => {
  app = await createTestApp();
});

afterAll(() => app.close());

const list = (query = '') => app.administrator.get<AccountsBody>(`/v1/platform/accounts${query}`);
const read = (id: string) => app.administrator.get(`/v1/platform/accounts/${id}`);
const update = (id: string, body: object, client: ApiClient = app.administrator) =>
  client.patch(`/v1/platform/accounts/${id}`, body);
const loginStatus = async ({ email }: Account, password: string) =>
  (await app.anonymous().post('/v1/auth/login', { email, password })).status;
const meStatus = async ({ client }: { client: ApiClient }) => (await client.get('/v1/auth/me')).status;
const eventsOn = (id: string) =>
  app.database.query(
    'admin',
    'SELECT action, actor_type, actor_account_id, before, after FROM audit.events WHERE target_id = $1 ORDER BY id',
    [id],
  );
const accountOf = (person: Account) => ({
  id: person.id,
  email: person.email,
  name: person.name,
  status: 'active',
  platformAdministrator: false,
  createdAt: TIME,
  updatedAt: TIME,
  version: 1,
});

describe('GET /v1/platform/accounts', () => {
  it('lists accounts, newest first, page by page', async () => {
    const people = [await newAccount(app), await newAccount(app), await newAccount(app)];
    const first = await list('?limit=2');
    expect(first.status).toBe(200);
    expect(first.body.data).toEqual([accountOf(people[2]!), accountOf(people[1]!)]);
    const second = await list(`?limit=1&cursor=${first.body.page.nextCursor}`);
    expect(second.body.data).toEqual([accountOf(people[0]!)]);
  });

  it('filters by e-mail address and by status', async () => {
    const [person, disabled] = [await newAccount(app), await newAccount(app, { status: 'disabled' })];
    const byEmail = await list(`?email=${encodeURIComponent(person.email.toUpperCase())}`);
    expect(byEmail.body).toEqual({ data: [accountOf(person)], page: { nextCursor: null } });
    const byStatus = (await list('?status=disabled')).body;
    expect(byStatus.data.map(({ id }) => id)).toContain(disabled.id);
    expect(byStatus.data.map(({ id }) => id)).not.toContain(person.id);
  });

  it.each(['?status=gone', '?email=nobody', '?q=ada', '?sort=passwordHash'])('refuses %s', async (query) => {
    expect((await list(query)).status).toBe(422);
  });
});

describe('GET /v1/platform/accounts/:accountId', () => {
  it('shows an account, and nothing of its password', async () => {
    const person = await newAccount(app);
    const response = await read(person.id);
    expect(response.status).toBe(200);
    expect(response.body).toEqual(accountOf(person));
    expect(response.headers['etag']).toBe('"1"');
  });

  it('answers 404 to an unknown id, 422 to none', async () => {
    (await read(newId())).expectProblem(404, 'not_found');
    (await read('ada')).expectProblem(422, 'invalid_input');
  });
});

describe('PATCH /v1/platform/accounts/:accountId', () => {
  it('renames', async () => {
    const person = await newAccount(app);
    const response = await update(person.id, { name: 'Ada King' })
      .set('content-type', 'application/merge-patch+json')
      .set('if-match', '"1"');
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ ...accountOf(person), name: 'Ada King', version: 2 });
    expect(response.headers['etag']).toBe('"2"');
    expect((await read(person.id)).body).toEqual(response.body);
    expect(await eventsOn(person.id)).toEqual([
      {
        action: 'account.updated',
        actor_type: 'platform',
        actor_account_id: claimsOf(app.administrator.tokens.accessToken).sub,
        before: accountOf(person),
        after: { ...accountOf(person), name: 'Ada King', version: 2 },
      },
    ]);
  });

  it('disables: all sessions end at once, and no new one starts', async () => {
    const person = await newAccount(app);
    const sessions = [await newSession(app, person), await newSession(app, person)];
    const response = await update(person.id, { status: 'disabled' });
    expect(response.body).toEqual({ ...accountOf(person), status: 'disabled', version: 2 });
    for (const session of sessions) {
      expect(await meStatus(session)).toBe(401);
      const refreshed = await app.anonymous().post('/v1/auth/refresh', { refreshToken: session.refreshToken });
      refreshed.expectProblem(401, 'session_ended');
    }
    expect(await loginStatus(person, person.password)).toBe(403);
    await update(person.id, { status: 'active' });
    expect(await loginStatus(person, person.password)).toBe(200);
    expect(await meStatus(sessions[0]!)).toBe(401); // what has ended stays ended
  });

  it('sets a password and ends all sessions', async () => {
    const person = await newAccount(app);
    const session = await newSession(app, person);
    const response = await update(person.id, { password: NEW_PASSWORD });
    expect(response.status).toBe(200);
    expect(JSON.stringify(response.body)).not.toMatch(/password|argon2|otters/);
    expect(await meStatus(session)).toBe(401);
    expect(await loginStatus(person, person.password)).toBe(401);
    expect(await loginStatus(person, NEW_PASSWORD)).toBe(200);
    const trail = await eventsOn(person.id);
    expect(trail.map(({ action }) => action)).toEqual(['account.updated', 'password.changed', 'session.refused']);
    expect(JSON.stringify(trail)).not.toMatch(/argon2|otters/);
  });

  it('gives a first password to who has none', async () => {
    const person = await newAccount(app, { password: null });
    await update(person.id, { password: NEW_PASSWORD });
    expect(await loginStatus(person, NEW_PASSWORD)).toBe(200);
  });

  it('refuses a weak password and changes nothing', async () => {
    const person = await newAccount(app);
    (await update(person.id, { name: 'Ada King', password: 'Ada-King-Ada-King-1' })).expectProblem(
      422,
      'weak_password',
    );
    expect((await read(person.id)).body).toEqual(accountOf(person));
  });

  it("refuses the caller's own password: that route asks for the current one", async () => {
    (await update(claimsOf(app.administrator.tokens.accessToken).sub, { password: NEW_PASSWORD })).expectProblem(
      422,
      'own_password',
    );
  });

  it('honours If-Match', async () => {
    const person = await newAccount(app);
    await update(person.id, { name: 'Ada King' }).set('if-match', '"7"').expectProblem(412, 'version_mismatch');
    await update(person.id, { name: 'Ada King' }).set('if-match', 'seven').expectProblem(422, 'invalid_input');
    expect((await read(person.id)).body).toEqual(accountOf(person));
  });

  it('changes nothing for an empty patch', async () => {
    const person = await newAccount(app);
    expect((await update(person.id, {})).body).toEqual(accountOf(person));
    expect(await eventsOn(person.id)).toEqual([]);
  });

  it.each([
    ['clearing the name', { name: null }, '/name'],
    ['an unknown status', { status: 'gone' }, '/status'],
    ['another e-mail address', { email: 'eve@example.com' }, '/email'],
    ['making an administrator', { platformAdministrator: true }, '/platformAdministrator'],
    ['the column behind it', { platformRole: 'administrator' }, '/platformRole'],
  ])('refuses %s', async (_, body, pointer) => {
    const person = await newAccount(app);
    const response = await update(person.id, body);
    response.expectProblem(422, 'invalid_input');
    expect((response.body as { errors: { pointer: string }[] }).errors[0]!.pointer).toBe(pointer);
  });

  it('answers 404 to an unknown id', async () => {
    (await update(newId(), { name: 'Ada' })).expectProblem(404, 'not_found');
    (await update(newId(), { password: NEW_PASSWORD })).expectProblem(404, 'not_found');
  });
});

describe('the last platform administrator', () => {
  let own: TestApp;

  beforeAll(async () => {
    own = await createTestApp();
  });

  afterAll(() => own.close());

  const disable = (client: ApiClient, id: string) =>
    client.patch(`/v1/platform/accounts/${id}`, { status: 'disabled' });

  it('cannot be disabled, and neither can the last two by one another at the same time', async () => {
    const [one, other] = [
      { id: claimsOf(own.administrator.tokens.accessToken).sub, client: own.administrator as ApiClient },
      await newAccount(own, { isAdministrator: true }).then(async (account) => ({
        id: account.id,
        client: (await newSession(own, account)).client,
      })),
    ];
    const responses = await Promise.all([disable(one.client, other.id), disable(other.client, one.id)]);
    // The slower one finds itself disabled, or itself to be the last.
    const statuses = responses.map(({ status }) => status).toSorted((a, b) => a - b);
    expect(statuses[0]).toBe(200);
    expect([401, 409]).toContain(statuses[1]);
    const [left] = await own.database.query<{ id: string }>(
      'admin',
      "SELECT id FROM identity.users WHERE platform_role = 'administrator' AND status = 'active'",
    );
    const survivor = left!.id === one.id ? one : other;
    (await disable(survivor.client, survivor.id)).expectProblem(409, 'last_administrator');
  });
});

describe('the accounts of all people', () => {
  it.each([
    ['GET', '/v1/platform/accounts'],
    ['GET', `/v1/platform/accounts/${newId()}`],
    ['PATCH', `/v1/platform/accounts/${newId()}`],
  ] as const)('are closed to who is no platform administrator: %s %s', async (method, path) => {
    const body = method === 'PATCH' ? { name: 'Ada' } : undefined;
    const { client } = await newSession(app, await newAccount(app));
    await client.request(method, path, body).expectProblem(403, 'permission_missing');
    await app.anonymous().request(method, path, body).expectProblem(401, 'unauthenticated');
  });
});
