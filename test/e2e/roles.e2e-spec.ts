import { newId } from '../../src/common/id';
import { createTestApp, type TestApp } from '../support/app';
import { type Cast, newRole, newTenant, newUser } from '../support/tenant';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
const UUID = expect.stringMatching(/^[0-9a-f-]{36}$/) as string;
const BILLING = {
  name: 'Billing',
  description: 'Sees who pays.',
  permissions: [{ subject: 'User', action: 'read', conditions: { status: 'active' }, fields: ['id', 'name'] }],
};

let app: TestApp;
let cast: Cast;
beforeAll(async () => {
  app = await createTestApp();
});
beforeEach(async () => {
  cast = await newTenant(app);
});
afterAll(() => app.close());

const roles = () => `/v1/tenants/${cast.tenant.id}/roles`;
const create = (body: object = BILLING) => cast.admin.post<{ id: string }>(roles(), body);

describe('POST /v1/tenants/:tenantId/roles', () => {
  it('creates a role', async () => {
    const { body, headers } = await create().expect(201);
    expect(body).toEqual({ id: UUID, ...BILLING, system: null, createdAt: TIME, updatedAt: TIME, version: 1 });
    expect(headers).toMatchObject({ etag: '"1"', location: `${roles()}/${body.id}` });
  });

  it('refuses a name that another role has, in any case', async () => {
    await create().expect(201);
    const { body } = await create({ ...BILLING, name: ' bILLING ' }).expectProblem(409, 'role_name_taken');
    expect(body).toMatchObject({ errors: [{ pointer: '/name' }] });
    await create({ ...BILLING, name: 'owner' }).expectProblem(409, 'role_name_taken');
  });

  it('leaves the names of other tenants free', async () => {
    await create().expect(201);
    const other = await newTenant(app);
    await other.admin.post(`/v1/tenants/${other.tenant.id}/roles`, BILLING).expect(201);
  });

  it.each([
    ['an unknown property', { ...BILLING, tenantId: newId() }, '/tenantId'],
    ['a system role', { ...BILLING, system: 'owner' }, '/system'],
    ['an unknown action', { ...BILLING, permissions: [{ subject: 'User', action: 'fly' }] }, '/permissions/0/action'],
    [
      'a condition on another tenant',
      { ...BILLING, permissions: [{ subject: 'User', action: 'read', conditions: { tenantId: newId() } }] },
      '/permissions/0/conditions',
    ],
    ['no name', { permissions: [] }, '/name'],
    ['no permissions', { name: 'x' }, '/permissions'],
  ])('refuses %s', async (_, body, pointer) => {
    const answer = await create(body).expectProblem(422, 'invalid_input');
    expect(answer.body).toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ pointer })]) as unknown,
    });
  });
});

describe('PATCH /v1/tenants/:tenantId/roles/:roleId', () => {
  let path: string;
  beforeEach(async () => {
    path = `${roles()}/${(await create().expect(201)).body.id}`;
  });
  const patch = (body: object, version = '"1"') => cast.admin.patch(path, body).set('if-match', version);

  it('changes what it names and keeps the rest', async () => {
    const { body, headers } = await patch({ description: 'Other' }).expect(200);
    expect(body).toMatchObject({ ...BILLING, description: 'Other', version: 2 });
    expect(headers).toMatchObject({ etag: '"2"' });
  });

  it('replaces all permissions, and clears a description with null', async () => {
    const { body } = await patch({ permissions: [], description: null }).expect(200);
    expect(body).toMatchObject({ name: 'Billing', description: '', permissions: [] });
  });

  it('needs the version, and the right one', async () => {
    await cast.admin.patch(path, { name: 'x' }).expectProblem(428, 'if_match_required');
    await patch({ name: 'x' }, '"7"').expectProblem(412, 'version_mismatch');
    await patch({ name: 'x' }, 'W/"1"').expectProblem(422, 'invalid_input');
    await patch({ name: 'Anything' }, '*').expect(200);
  });

  it('lets one of two win who know the same version', async () => {
    const answers = await Promise.all([patch({ name: 'One' }), patch({ name: 'Two' })]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
  });

  it.each(['tenantId', 'system', 'isAdmin', 'constructor', 'id', 'version'])(
    'refuses the property %s by name',
    async (property) => {
      const { body } = await patch({ [property]: 'x' }).expectProblem(422, 'invalid_input');
      expect(body).toMatchObject({ errors: [{ pointer: `/${property}` }] });
    },
  );

  it('refuses null for a name', async () => {
    await patch({ name: null }).expectProblem(422, 'invalid_input');
  });
});

describe('the system roles', () => {
  it('cannot be changed or deleted, by anybody', async () => {
    for (const client of [cast.owner, app.administrator]) {
      for (const id of Object.values(cast.tenant.roles)) {
        await client.patch(`${roles()}/${id}`, { name: 'x' }).set('if-match', '*').expectProblem(403, 'system_role');
        await client.delete(`${roles()}/${id}`).set('if-match', '*').expectProblem(403, 'system_role');
      }
    }
  });
});

describe('DELETE /v1/tenants/:tenantId/roles/:roleId', () => {
  const remove = (id: string) => cast.admin.delete(`${roles()}/${id}`).set('if-match', '*');

  it('deletes a role that nobody holds', async () => {
    const { body } = await create().expect(201);
    await cast.admin.delete(`${roles()}/${body.id}`).expectProblem(428, 'if_match_required');
    await remove(body.id).expect(204);
    await cast.admin.get(`${roles()}/${body.id}`).expectProblem(404, 'not_found');
    await remove(body.id).expectProblem(404, 'not_found');
  });

  it('refuses while somebody holds it, and not when their time is over', async () => {
    const id = await newRole(app, cast.tenant, []);
    const user = await newUser(app, cast.tenant, { roles: [id] });
    await remove(id).expectProblem(409, 'role_in_use');
    await app.database.query('admin', 'UPDATE app.membership_roles SET expires_at = now() WHERE membership_id = $1', [
      user.id,
    ]);
    await remove(id).expect(204);
  });
});

describe('GET /v1/permissions', () => {
  it('lists what a role can hold, for everybody who is signed in', async () => {
    const { body } = await cast.outsider.get<{ data: { subject: string }[] }>('/v1/permissions').expect(200);
    expect(body.data.map(({ subject }) => subject)).toEqual(['Tenant', 'User', 'Role', 'AuditEvent']);
  });
});
