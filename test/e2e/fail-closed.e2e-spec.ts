import { createTestApp, type TestApp } from '../support/app';
import { newTenantWithOwner, newUser, type Cast, type UserClient } from '../support/tenant';

let app: TestApp;
let tenant: Cast['tenant'];
let owner: UserClient;
beforeAll(async () => {
  app = await createTestApp({ POSTGRES_LOCK_TIMEOUT_MS: 200 });
  ({ tenant, owner } = await newTenantWithOwner(app));
});
afterAll(() => app?.close());

const run = (sql: string, parameters?: unknown[]) => app.database.query('admin', sql, parameters);
const users = (): string => `/v1/tenants/${tenant.id}/users`;

/** Asserts that the caller reads nothing and changes nothing. */
async function expectDenied(status: number, code: string): Promise<void> {
  await owner.get(users()).expectProblem(status, code);
  await owner.patch(`/v1/tenants/${tenant.id}`, { name: 'Got through' }).expectProblem(status, code);
}

describe('who may do what cannot be found out:', () => {
  afterEach(async () => {
    const { body } = await owner.get(`/v1/tenants/${tenant.id}`).expect(200);
    expect(body.name).toBe(tenant.name);
  });

  it('nobody may anything while the function that answers is missing', async () => {
    await run('ALTER FUNCTION identity.active_session(uuid) RENAME TO away');
    try {
      await expectDenied(500, 'internal_error');
    } finally {
      await run('ALTER FUNCTION identity.away(uuid) RENAME TO active_session');
    }
  });

  it('nobody may anything while the login may not ask', async () => {
    await run('REVOKE EXECUTE ON FUNCTION identity.active_session(uuid) FROM tenantry_app');
    try {
      await expectDenied(500, 'internal_error');
    } finally {
      await run('GRANT EXECUTE ON FUNCTION identity.active_session(uuid) TO tenantry_app');
    }
  });

  it('nobody may anything while the answer takes too long', async () => {
    await app.database.inTransaction('admin', undefined, async (other) => {
      await other.query('LOCK TABLE app.membership_roles IN ACCESS EXCLUSIVE MODE');
      await expectDenied(504, 'database_timeout');
    });
  });
});

describe('a stored permission that cannot be understood', () => {
  /** Somebody whose one role was spoiled beneath the API, as by a bad migration. */
  async function holderOf(conditions: object, inverted: boolean): Promise<UserClient> {
    const user = await newUser(app, tenant, {
      permissions: [
        { subject: 'User', action: 'read', conditions: { status: 'active' } },
        ...(inverted ? [{ subject: 'User', action: 'read' }] : []),
      ],
    });
    await run(
      `UPDATE app.role_permissions SET conditions = $1, inverted = $2
       WHERE conditions IS NOT NULL AND role_id IN (SELECT role_id FROM app.membership_roles WHERE membership_id = $3)`,
      [JSON.stringify(conditions), inverted, user.id],
    );
    return user;
  }

  it.each([
    ['an unknown operator', { status: { resembles: 'active' } }, false],
    ['an unknown field', { shoeSize: 43 }, false],
    ['an unknown operator of a prohibition', { status: { resembles: 'active' } }, true],
  ])('shows nobody: %s', async (_, conditions, inverted) => {
    const user = await holderOf(conditions, inverted);
    for (const path of [users(), `${users()}/${owner.id}`]) {
      const { status, body } = await user.get(path);
      expect({ path, status: status >= 400 || body.data?.length === 0 ? 'denied' : body }).toEqual({
        path,
        status: 'denied',
      });
    }
  });
});
