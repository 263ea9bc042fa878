import { Clock } from '../../src/common/clock';
import { TenantPurge } from '../../src/tenants/tenant-purge';
import { createTestApp, type TestApp } from '../support/app';
import { type Cast, newRole, newTenant, newTenantWithOwner, newUser } from '../support/tenant';
import { TENANT_TABLES, TENANTS } from '../support/tenant-tables';

const DAY_MS = 24 * 3_600_000;
const AUDIT = 'audit.events';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => app?.close());

const purge = (): Promise<number> => app.nest.get(TenantPurge).run();

function letDaysPass(days: number): void {
  const later = new Date(Date.now() + days * DAY_MS);
  jest.spyOn(app.nest.get(Clock), 'now').mockReturnValue(later);
}

/** How many rows of each table belong to the tenant. */
async function rowsOf(tenantId: string): Promise<Record<string, number>> {
  const counts = TENANT_TABLES.map(async (table): Promise<[string, number]> => {
    const column = table === TENANTS ? 'id' : 'tenant_id';
    const sql = `SELECT count(*)::int AS count FROM ${table} WHERE ${column} = $1`;
    const [row] = await app.database.query<{ count: number }>('admin', sql, [tenantId]);
    return [table, row!.count];
  });
  return Object.fromEntries(await Promise.all(counts));
}

/** A tenant with rows in each of its tables. */
async function newFullTenant(): Promise<Cast> {
  const cast = await newTenant(app);
  const roleId = await newRole(app, cast.tenant, [{ subject: 'User', action: 'read' }]);
  await newUser(app, cast.tenant, { roles: [roleId] });
  return cast;
}

const emailsOfAccounts = async (): Promise<string[]> =>
  (await app.database.query<{ email: string }>('admin', 'SELECT email FROM identity.users ORDER BY email')).map(
    ({ email }) => email,
  );

describe('TenantPurge', () => {
  it('removes all that a deleted tenant owned, but for its audit trail, once its time is over', async () => {
    const [gone, stays] = [await newFullTenant(), await newFullTenant()];
    const path = `/v1/tenants/${gone.tenant.id}`;
    await gone.owner.delete(path).expect(204);
    const [before, others, accounts] = [
      await rowsOf(gone.tenant.id),
      await rowsOf(stays.tenant.id),
      await emailsOfAccounts(),
    ];
    for (const [table, rows] of Object.entries(before)) expect({ table, rows }).not.toEqual({ table, rows: 0 });

    letDaysPass(31);
    expect(await purge()).toBe(1);
    jest.restoreAllMocks();

    const nothing = Object.fromEntries(TENANT_TABLES.map((table) => [table, 0]));
    expect(await rowsOf(gone.tenant.id)).toEqual({ ...nothing, [AUDIT]: before[AUDIT]! + 1 });
    expect(await rowsOf(stays.tenant.id)).toEqual(others);
    expect(await emailsOfAccounts()).toEqual(accounts);
    const [last] = await app.database.query(
      'admin',
      `SELECT action, actor_type FROM ${AUDIT} WHERE tenant_id = $1 ORDER BY id DESC LIMIT 1`,
      [gone.tenant.id],
    );
    expect(last).toEqual({ action: 'tenant.purged', actor_type: 'system' });

    await app.administrator.get(path).expectProblem(404, 'not_found');
    await app.administrator.post(`${path}/restore`).expectProblem(404, 'not_found');
    await gone.owner.get('/v1/auth/me').expect(200);
    await stays.owner.get(`/v1/tenants/${stays.tenant.id}/users`).expect(200);
  });

  it('leaves a deleted tenant alone until then, and a restored one for ever', async () => {
    const [deleted, restored] = [await newTenantWithOwner(app), await newTenantWithOwner(app)];
    for (const { tenant, owner } of [deleted, restored]) await owner.delete(`/v1/tenants/${tenant.id}`).expect(204);
    await app.administrator.post(`/v1/tenants/${restored.tenant.id}/restore`).expect(200);
    letDaysPass(29);
    expect(await purge()).toBe(0);
    letDaysPass(31);
    expect(await purge()).toBe(1);
    jest.restoreAllMocks();
    await app.administrator.get(`/v1/tenants/${deleted.tenant.id}`).expectProblem(404, 'not_found');
    await restored.owner.get(`/v1/tenants/${restored.tenant.id}`).expect(200);
  });

  it('purges each tenant once, however many instances run it, and frees its slug', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    await owner.delete(`/v1/tenants/${tenant.id}`).expect(204);
    letDaysPass(31);
    const purged = await Promise.all([purge(), purge(), purge()]);
    expect(purged.toSorted((a, b) => a - b)).toEqual([0, 0, 1]);
    jest.restoreAllMocks();
    const { email, name } = owner.person;
    await app.administrator
      .post('/v1/tenants', { name: 'Again', slug: tenant.slug, owner: { email, name } })
      .expect(201);
  });

  it('purges at once where nothing is to be kept', async () => {
    const hasty = await createTestApp({ TENANT_RETENTION_DAYS: 0 });
    try {
      const { tenant, owner } = await newTenantWithOwner(hasty);
      await owner.delete(`/v1/tenants/${tenant.id}`).expect(204);
      expect(await hasty.nest.get(TenantPurge).run()).toBe(1);
    } finally {
      await hasty.close();
    }
  });
});
