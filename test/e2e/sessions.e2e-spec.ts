import { newId } from '../../src/common/id';
import { newAccount, newSession, type SessionOfAccount } from '../support/account';
import { createTestApp, type TestApp, type Tokens } from '../support/app';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

interface SessionsBody {
  data: { id: string; createdAt: string; lastUsedAt: string; expiresAt: string }[];
  page: { nextCursor: string | null };
}

let app: TestApp;

beforeAll(async () => {
  app = await createTestApp();
});

afterAll(() => app.close());

const list = (who: SessionOfAccount, query = '') => who.client.get<SessionsBody>(`/v1/auth/sessions${query}`);
const end = (who: SessionOfAccount, id: string) => who.client.delete(`/v1/auth/sessions/${id}`);
const refresh = ({ refreshToken }: Tokens) => app.anonymous().post('/v1/auth/refresh', { refreshToken });
const meStatus = async (who: SessionOfAccount) => (await who.client.get('/v1/auth/me')).status;

describe('GET /v1/auth/sessions', () => {
  it('shows the own live sessions, newest first, and which one asks', async () => {
    const person = await newAccount(app);
    const old = await newSession(app, person, { address: '203.0.113.7', userAgent: 'Old browser' });
    const ended = await newSession(app, person);
    await ended.client.post('/v1/auth/logout');
    const expired = await newSession(app, person);
    await app.database.query('admin', 'UPDATE identity.sessions SET expires_at = now() WHERE id = $1', [expired.id]);
    const current = await newSession(app, person);
    await newSession(app, await newAccount(app));

    const response = await list(current);
    expect(response.status).toBe(200);
    expect(response.body).toEqual({
      data: [
        expect.objectContaining({ id: current.id, current: true }),
        {
          id: old.id,
          address: '203.0.113.7',
          userAgent: 'Old browser',
          current: false,
          createdAt: expect.stringMatching(TIME),
          lastUsedAt: expect.stringMatching(TIME),
          expiresAt: expect.stringMatching(TIME),
        },
      ],
      page: { nextCursor: null },
    });
  });

  it('moves lastUsedAt with each refresh, and never expiresAt', async () => {
    const who = await newSession(app, await newAccount(app));
    await app.database.query('admin', "UPDATE identity.sessions SET last_used_at = '2020-01-01Z' WHERE id = $1", [
      who.id,
    ]);
    const before = (await list(who)).body.data[0]!;
    await refresh(who);
    const after = (await list(who)).body.data[0]!;
    expect(before.lastUsedAt).toBe('2020-01-01T00:00:00.000Z');
    expect(Date.now() - Date.parse(after.lastUsedAt)).toBeLessThan(10_000);
    expect(after.expiresAt).toBe(before.expiresAt);
    expect(Date.parse(after.expiresAt) - Date.parse(after.createdAt)).toBe(30 * 24 * 3_600_000);
  });

  it('pages', async () => {
    const person = await newAccount(app);
    const sessions: SessionOfAccount[] = [];
    for (let count = 0; count < 5; count++) sessions.push(await newSession(app, person));
    const who = sessions[0]!;
    const seen: string[] = [];
    let query = '?limit=2&sort=createdAt';
    for (;;) {
      const response = await list(who, query);
      const { data, page } = response.body;
      seen.push(...data.map(({ id }) => id));
      if (page.nextCursor === null) break;
      expect(response.headers.link).toContain('rel="next"');
      query = `?limit=2&sort=createdAt&cursor=${page.nextCursor}`;
    }
    expect(seen).toEqual(sessions.map(({ id }) => id));
  });

  it.each(['?limit=0', '?limit=101', '?sort=userAgent', '?cursor=nonsense', '?accountId=x'])(
    'refuses %s',
    async (query) => {
      const response = await list(await newSession(app, await newAccount(app)), query);
      expect(response.status).toBe(422);
    },
  );

  it('wants a bearer token', async () => {
    (await app.anonymous().get('/v1/auth/sessions')).expectProblem(401, 'unauthenticated');
  });
});

describe('DELETE /v1/auth/sessions/:sessionId', () => {
  it('ends another one of the own sessions at once', async () => {
    const person = await newAccount(app);
    const [here, there] = [await newSession(app, person), await newSession(app, person)];
    const response = await end(here, there.id);
    expect([response.status, response.body]).toEqual([204, undefined]);
    expect(await meStatus(there)).toBe(401);
    expect((await refresh(there)).status).toBe(401);
    expect(await meStatus(here)).toBe(200);
    const [event] = await app.database.query(
      'admin',
      "SELECT actor_account_id, after FROM audit.events WHERE target_id = $1 AND action = 'session.ended'",
      [there.id],
    );
    expect(event).toEqual({ actor_account_id: person.id, after: { reason: 'ended_by_owner' } });
  });

  it('answers to the id of another person as to one that does not exist', async () => {
    const [mine, theirs] = [await newSession(app, await newAccount(app)), await newSession(app, await newAccount(app))];
    const foreign = await end(mine, theirs.id);
    const random = await end(mine, newId());
    foreign.expectProblem(404, 'not_found');
    const comparable = ({ body }: typeof foreign) => ({ ...(body as object), requestId: '', instance: '' });
    expect(comparable(foreign)).toEqual(comparable(random));
    expect(await meStatus(theirs)).toBe(200);
  });

  it('finds no session that has ended', async () => {
    const person = await newAccount(app);
    const [here, there] = [await newSession(app, person), await newSession(app, person)];
    await end(here, there.id);
    (await end(here, there.id)).expectProblem(404, 'not_found');
  });

  it('refuses what is no id', async () => {
    const response = await end(await newSession(app, await newAccount(app)), 'mine');
    response.expectProblem(422, 'invalid_input');
  });

  it('wants a bearer token', async () => {
    (await app.anonymous().delete(`/v1/auth/sessions/${newId()}`)).expectProblem(401, 'unauthenticated');
  });
});
