import { newPassword } from '../support/app';
import { createTestApp, type TestApp } from '../support/app';
import { play, SCENARIOS, setStage } from '../support/scenarios';

/** Writes that leave no event, each with its reason. */
const EXEMPT: Record<string, string> = {};

const writing = Object.keys(SCENARIOS).filter((operation) => !operation.startsWith('GET'));

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({}, { withBackups: true });
});
afterAll(() => app.close());

const eventsOf = (requestId: unknown) =>
  app.database.query<{ result: string; actor_type: string; address: string | null }>(
    'admin',
    'SELECT result, actor_type, address FROM audit.events WHERE request_id = $1',
    [requestId],
  );

describe('the audit trail', () => {
  it.each(writing.filter((operation) => !EXEMPT[operation]))('records %s', async (operation) => {
    const stage = await setStage(app);
    if (operation.endsWith('/restore')) await play(stage, 'DELETE /v1/tenants/{tenantId}').expect(204);
    if (operation.endsWith('/resume'))
      await app.administrator.post(`/v1/tenants/${stage.tenant.id}/suspend`).expect(200);
    const { headers } = await play(stage, operation).expect(SCENARIOS[operation]!.status);
    const events = await eventsOf(headers['x-request-id']);
    expect(events).not.toEqual([]);
    for (const event of events)
      expect(event).toMatchObject({ result: 'success', address: expect.stringMatching(/\S/) as string });
  });

  it('holds no password, token or hash', async () => {
    const { user } = await setStage(app);
    const newOne = newPassword();
    await user.put('/v1/auth/password', { currentPassword: user.person.password, newPassword: newOne }).expect(204);
    const [{ text } = { text: '' }] = await app.database.query<{ text: string }>(
      'admin',
      'SELECT string_agg(e::text, chr(10)) AS text FROM audit.events e',
    );
    for (const secret of [
      newOne,
      user.person.password,
      user.tokens.accessToken,
      user.tokens.refreshToken,
      '$argon2id$',
    ])
      expect(text).not.toContain(secret);
  });
});
