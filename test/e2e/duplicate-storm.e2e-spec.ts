import { Pools } from '../../src/database/pools';
import { createTestApp, type TestApp } from '../support/app';
import { newTenantWithOwner, type TestTenant, type UserClient } from '../support/tenant';

const REQUESTS = 200;

let app: TestApp;
let tenant: TestTenant;
let owner: UserClient;

beforeAll(async () => {
  app = await createTestApp({ POSTGRES_MAX_WAITING: REQUESTS, POSTGRES_CONNECT_TIMEOUT_MS: 30_000 });
  ({ tenant, owner } = await newTenantWithOwner(app));
});
afterAll(() => app.close());

const create = (email: string) => owner.post(`/v1/tenants/${tenant.id}/users`, { email, name: 'Storm' });
const backends = async (): Promise<unknown[]> => {
  const connections = `SELECT pid FROM pg_stat_activity WHERE application_name = 'tenantry-app' AND datname = current_database() ORDER BY pid`;
  return (await app.database.query('admin', connections)).map(({ pid }) => pid);
};

describe(`${REQUESTS} requests at once to create the same user`, () => {
  it('make one, and cost no connection', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, index) => create(`calm-${index}@example.com`).expect(201)));
    const before = await backends();
    expect(before.length).toBeGreaterThan(1);

    const responses = await Promise.all(Array.from({ length: REQUESTS }, () => create('storm@example.com')));
    const statuses = responses.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(1);
    expect(statuses.filter((status) => status === 409)).toHaveLength(REQUESTS - 1);
    // None was dropped; one may have been opened that the pool had not needed so far.
    const after = await backends();
    expect(after).toEqual(expect.arrayContaining(before));
    expect(after.length).toBeLessThanOrEqual(app.nest.get(Pools).app.options.max);

    const events = `SELECT after->>'email' AS email FROM audit.events WHERE action = 'user.added' AND after->>'email' LIKE 'storm%'`;
    expect(await app.database.query('admin', events)).toEqual([{ email: 'storm@example.com' }]);
  });
});
