import type { Permission } from '../../src/access/system-roles';
import type { ApiCall } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { type Cast, newRole, newTenant, newUser, type UserClient } from '../support/tenant';

let app: TestApp;
let cast: Cast;
beforeAll(async () => {
  app = await createTestApp();
});
beforeEach(async () => {
  cast = await newTenant(app);
});
afterAll(() => app.close());

const base = () => `/v1/tenants/${cast.tenant.id}`;
const DELETE_TENANT: Permission = { subject: 'Tenant', action: 'delete' }; // owners hold it, admins do not
const refused = (call: ApiCall) => call.expectProblem(403, 'permission_not_held');
const roleIdsOf = async (userId: string): Promise<string[]> => {
  const { body } = await cast.owner.get<{ data: { id: string }[] }>(`${base()}/users/${userId}/roles`).expect(200);
  return body.data.map(({ id }) => id);
};

describe('nobody grants what they do not hold:', () => {
  it('not by creating a role', async () => {
    const permissions = [{ subject: 'User', action: 'read' }, DELETE_TENANT];
    const { body } = await refused(cast.admin.post(`${base()}/roles`, { name: 'root', permissions }));
    expect(body).toMatchObject({ errors: [{ pointer: '/permissions/1', code: 'permission_not_held' }] });
  });

  it('not by editing a role', async () => {
    const roleId = await newRole(app, cast.tenant, []);
    await refused(cast.admin.patch(`${base()}/roles/${roleId}`, { permissions: [DELETE_TENANT] }).set('if-match', '*'));
  });

  it('not by giving a role, one by one or all at once, to others or to oneself', async () => {
    const { admin, viewer, tenant } = cast;
    for (const { id } of [viewer, admin]) {
      await refused(admin.put(`${base()}/users/${id}/roles/${tenant.roles.owner}`, {}));
      await refused(admin.put(`${base()}/users/${id}/roles`, { roles: [{ roleId: tenant.roles.owner }] }));
    }
    expect(await roleIdsOf(viewer.id)).toEqual([tenant.roles.viewer]);
  });

  it('not by adding a user, who then is not added', async () => {
    const user = { email: 'new@granting.test', name: 'New', roleIds: [cast.tenant.roles.owner] };
    await refused(cast.admin.post(`${base()}/users`, user));
    const { body } = await cast.admin.get<{ data: unknown[] }>(`${base()}/users?email=new@granting.test`).expect(200);
    expect(body.data).toEqual([]);
  });

  it('and not more rows or fields than they hold', async () => {
    const narrow: Permission = {
      subject: 'User',
      action: 'update',
      conditions: { status: 'active' },
      fields: ['name'],
    };
    const author = await newUser(app, cast.tenant, { permissions: [narrow, { subject: 'Role', action: 'create' }] });
    const create = (permission: Permission) =>
      author.post(`${base()}/roles`, { name: JSON.stringify(permission), permissions: [permission] });
    await create(narrow).expect(201);
    await refused(create({ ...narrow, conditions: undefined }));
    await refused(create({ ...narrow, fields: ['name', 'status'] }));
    await refused(create({ ...narrow, fields: undefined }));
  });
});

describe('nobody touches what is above them:', () => {
  let above: string;
  let holder: UserClient;
  beforeEach(async () => {
    above = await newRole(app, cast.tenant, [DELETE_TENANT]);
    holder = await newUser(app, cast.tenant, { roles: [above] });
  });

  it('neither editing nor deleting such a role', async () => {
    await refused(cast.admin.patch(`${base()}/roles/${above}`, { name: 'harmless' }).set('if-match', '*'));
    await refused(cast.admin.delete(`${base()}/roles/${above}`).set('if-match', '*'));
  });

  it('nor taking it from somebody', async () => {
    await refused(cast.admin.delete(`${base()}/users/${holder.id}/roles/${above}`));
    await refused(cast.admin.put(`${base()}/users/${holder.id}/roles`, { roles: [] }));
    expect(await roleIdsOf(holder.id)).toEqual([above]);
  });

  it('nor suspending or removing who holds it', async () => {
    await refused(cast.admin.patch(`${base()}/users/${holder.id}`, { status: 'suspended' }));
    await refused(cast.admin.delete(`${base()}/users/${holder.id}`));
    await refused(cast.admin.delete(`${base()}/users/${cast.owner.id}`));
    await cast.owner.delete(`${base()}/users/${holder.id}`).expect(204);
  });

  it('nor lifting a prohibition that binds them', async () => {
    const bound = await newRole(app, cast.tenant, [
      { subject: 'Role', action: 'update' },
      { subject: 'Role', action: 'read' },
      { subject: 'User', action: 'read', inverted: true, fields: ['email'] },
    ]);
    const clerk = await newUser(app, cast.tenant, { roles: [bound] });
    const permissions = [
      { subject: 'Role', action: 'update' },
      { subject: 'Role', action: 'read' },
    ];
    await refused(clerk.patch(`${base()}/roles/${bound}`, { permissions }).set('if-match', '*'));
  });
});

describe('a tenant keeps an owner:', () => {
  const lastOwner = (call: ApiCall) => call.expectProblem(409, 'last_owner');

  it('the last one cannot be removed, suspended, demoted or given an end', async () => {
    const { owner, tenant } = cast;
    const own = `${base()}/users/${owner.id}`;
    await lastOwner(owner.delete(own));
    await lastOwner(owner.patch(own, { status: 'suspended' }));
    await lastOwner(owner.delete(`${own}/roles/${tenant.roles.owner}`));
    await lastOwner(owner.put(`${own}/roles`, { roles: [{ roleId: tenant.roles.admin }] }));
    await lastOwner(owner.put(`${own}/roles/${tenant.roles.owner}`, { expiresAt: '2100-01-01T00:00:00Z' }));
    await lastOwner(app.administrator.delete(own));
    expect(await roleIdsOf(owner.id)).toEqual([tenant.roles.owner]);
  });

  it('one whose time is limited does not count', async () => {
    const { owner, viewer, tenant } = cast;
    await owner
      .put(`${base()}/users/${viewer.id}/roles/${tenant.roles.owner}`, { expiresAt: '2100-01-01T00:00:00Z' })
      .expect(200);
    await lastOwner(owner.delete(`${base()}/users/${owner.id}`));
  });

  it('one stays when two leave at the same time', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { tenant, owner } = await newTenant(app);
      const second = await newUser(app, tenant, { roles: ['owner'] });
      const answers = await Promise.all(
        [owner, second].map((client) => client.delete(`/v1/tenants/${tenant.id}/users/${client.id}`)),
      );
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 409]);
    }
  }, 60_000);
});
