import type { ApiClient } from '../support/api-client';
import { createTestApp, type Instance, type TestApp } from '../support/app';
import { type Cast, newRole, newTenant, newUser } from '../support/tenant';

let app: TestApp;
let second: Instance;
let cast: Cast;

beforeAll(async () => {
  app = await createTestApp();
  second = await app.secondInstance();
});
beforeEach(async () => {
  cast = await newTenant(app);
});
afterAll(() => app.close());

const base = () => `/v1/tenants/${cast.tenant.id}`;

/** What the client's token, still valid by itself, is answered on both instances. */
async function answersTo(client: ApiClient, path = `${base()}/users`): Promise<string[]> {
  const answers = await Promise.all([client.get(path), client.at(second).get(path)]);
  return answers.map(({ status, body }) => `${status} ${(body as { code?: string }).code ?? 'ok'}`);
}

const twice = (answer: string): string[] => [answer, answer];

describe('a right that was taken away is gone with the next request, on every instance:', () => {
  it('a role taken from its holder', async () => {
    const { owner, viewer, tenant } = cast;
    expect(await answersTo(viewer)).toEqual(twice('200 ok'));
    await owner.delete(`${base()}/users/${viewer.id}/roles/${tenant.roles.viewer}`).expect(204);
    expect(await answersTo(viewer)).toEqual(twice('403 permission_missing'));
  });

  it('a permission taken out of a role', async () => {
    const { owner, tenant } = cast;
    const roleId = await newRole(app, tenant, [{ subject: 'User', action: 'read' }]);
    const user = await newUser(app, tenant, { roles: [roleId] });
    expect(await answersTo(user)).toEqual(twice('200 ok'));
    await owner.patch(`${base()}/roles/${roleId}`, { permissions: [] }).set('if-match', '"1"').expect(200);
    expect(await answersTo(user)).toEqual(twice('403 permission_missing'));
  });

  it('a role whose time is over', async () => {
    const { owner, viewer, tenant } = cast;
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    await owner.put(`${base()}/users/${viewer.id}/roles/${tenant.roles.viewer}`, { expiresAt }).expect(200);
    expect(await answersTo(viewer)).toEqual(twice('200 ok'));
    await app.database.query('admin', `UPDATE app.membership_roles SET expires_at = now() WHERE membership_id = $1`, [
      viewer.id,
    ]);
    expect(await answersTo(viewer)).toEqual(twice('403 permission_missing'));
  });

  it('a suspended user, who comes back with the same token', async () => {
    const { owner, viewer } = cast;
    await owner.patch(`${base()}/users/${viewer.id}`, { status: 'suspended' }).expect(200);
    expect(await answersTo(viewer)).toEqual(twice('403 membership_suspended'));
    await owner.patch(`${base()}/users/${viewer.id}`, { status: 'active' }).expect(200);
    expect(await answersTo(viewer)).toEqual(twice('200 ok'));
  });

  it('a removed user', async () => {
    const { owner, viewer } = cast;
    await owner.delete(`${base()}/users/${viewer.id}`).expect(204);
    expect(await answersTo(viewer)).toEqual(twice('404 not_found'));
  });

  it('a suspended tenant, and a deleted one', async () => {
    const { owner, viewer } = cast;
    await app.administrator.post(`${base()}/suspend`).expect(200);
    expect(await answersTo(viewer)).toEqual(twice('403 tenant_suspended'));
    await app.administrator.post(`${base()}/resume`).expect(200);
    expect(await answersTo(viewer)).toEqual(twice('200 ok'));
    await owner.delete(base()).expect(204);
    expect(await answersTo(viewer)).toEqual(twice('404 not_found'));
  });

  it('a session that was ended', async () => {
    const { viewer } = cast;
    await viewer.post('/v1/auth/logout').expect(204);
    expect(await answersTo(viewer)).toEqual(twice('401 session_ended'));
  });

  it('a disabled account', async () => {
    const { viewer } = cast;
    const { body } = await viewer.get<{ id: string }>('/v1/auth/me').expect(200);
    await app.administrator.patch(`/v1/platform/accounts/${body.id}`, { status: 'disabled' }).expect(200);
    expect(await answersTo(viewer)).toEqual(twice('401 session_ended'));
  });

  it('an administrator of the platform who is one no more', async () => {
    const { viewer } = cast;
    const { body } = await viewer.get<{ id: string }>('/v1/auth/me').expect(200);
    const set = (role: string | null) =>
      app.database.query('admin', 'UPDATE identity.users SET platform_role = $1 WHERE id = $2', [role, body.id]);
    await set('administrator');
    expect(await answersTo(viewer, '/v1/platform/accounts')).toEqual(twice('200 ok'));
    await set(null);
    expect(await answersTo(viewer, '/v1/platform/accounts')).toEqual(twice('403 permission_missing'));
  });
});
