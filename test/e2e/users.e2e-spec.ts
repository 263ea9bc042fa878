import { newId } from '../../src/common/id';
import { createTestApp, newPassword, type TestApp } from '../support/app';
import { type Cast, newPerson, newRole, newTenant, newUser } from '../support/tenant';

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
const UUID = expect.stringMatching(/^[0-9a-f-]{36}$/) as string;

interface User {
  id: string;
  name: string;
  email: string;
}

let app: TestApp;
let cast: Cast;
beforeAll(async () => {
  app = await createTestApp();
});
beforeEach(async () => {
  cast = await newTenant(app);
});
afterAll(() => app.close());

const users = () => `/v1/tenants/${cast.tenant.id}/users`;
const add = (body: object) => cast.admin.post<User>(users(), body);
const accounts = async (email: string): Promise<number> =>
  (await app.database.query('admin', 'SELECT FROM identity.users WHERE email = $1', [email])).length;

describe('POST /v1/tenants/:tenantId/users', () => {
  it('makes somebody new a user, with roles', async () => {
    const { email, name } = newPerson('new');
    const { body, headers } = await add({
      email: ` ${email.toUpperCase()} `,
      name,
      roleIds: [cast.tenant.roles.viewer],
    }).expect(201);
    expect(body).toEqual({ id: UUID, email, name, status: 'active', createdAt: TIME, updatedAt: TIME, version: 1 });
    expect(headers).toMatchObject({ location: `${users()}/${body.id}`, etag: '"1"' });
    expect(await accounts(email)).toBe(1);
  });

  it('makes a person of another tenant a user, with one account, and tells nothing of the other tenant', async () => {
    const { person } = cast.outsider;
    const stranger = newPerson('stranger');
    const known = await add({ email: person.email, name: 'Known Here' }).expect(201);
    const unknown = await add({ email: stranger.email, name: 'Known Here' }).expect(201);
    const shape = ({ id: _id, email: _email, createdAt: _c, updatedAt: _u, ...rest }: Record<string, unknown>) => rest;
    expect(shape(known.body as never)).toEqual(shape(unknown.body as never));
    expect(Object.keys(known.headers).sort()).toEqual(Object.keys(unknown.headers).sort());
    // A UUIDv7 begins with the time of its making: an account's own id would tell its age.
    const madeAt = parseInt(known.body.id.replaceAll('-', '').slice(0, 12), 16);
    expect(Date.now() - madeAt).toBeLessThan(30_000);
    expect(await accounts(person.email)).toBe(1);
    const me = await cast.outsider.get<{ name: string; tenants: unknown[] }>('/v1/auth/me').expect(200);
    expect(me.body).toMatchObject({ name: person.name });
    expect(me.body.tenants).toHaveLength(2);
  });

  it('refuses who is a user already', async () => {
    const { body } = await add({ email: cast.viewer.person.email, name: 'Again' }).expectProblem(409, 'user_exists');
    expect(body).toMatchObject({ errors: [{ pointer: '/email' }] });
  });

  it('tells who may not add a person nothing of whether that person is a user', async () => {
    const invites = { subject: 'User', action: 'invite', conditions: { email: 'only@tenant.test' } } as const;
    const member = await newUser(app, cast.tenant, { permissions: [invites] });
    for (const { email } of [cast.viewer.person, newPerson('new')])
      for (const roleIds of [[], [cast.tenant.roles.viewer]])
        await member.post(users(), { email, name: 'x', roleIds }).expectProblem(403, 'permission_missing');
  });

  it('takes a first password from platform administrators only, and for new accounts only', async () => {
    const { email, name, password } = newPerson('first');
    await add({ email, name, password }).expectProblem(403, 'field_not_permitted');
    await cast.owner.post(users(), { email, name, password }).expectProblem(403, 'field_not_permitted');
    await app.administrator.post(users(), { email, name, password }).expect(201);
    const again = { email: cast.outsider.person.email, name: 'x', password: newPassword() };
    await app.administrator.post(users(), again).expectProblem(409, 'account_exists');
    await app.signIn(cast.outsider.person); // still with the password that it had
  });

  it("refuses another tenant's role", async () => {
    const other = await newTenant(app);
    const foreign = { ...newPerson('x'), password: undefined, roleIds: [other.tenant.roles.viewer] };
    const random = { ...foreign, roleIds: [newId()] };
    const answers = await Promise.all([add(foreign), add(random)]);
    for (const answer of answers)
      expect(answer.expectProblem(422, 'invalid_input').body).toMatchObject({
        errors: [{ pointer: '/roleIds/0', code: 'unknown_role' }],
      });
  });

  it.each([
    ['/email', { email: 'nobody', name: 'x' }],
    ['/name', { email: 'a@b.test', name: ' ' }],
    ['/name', { email: 'a@b.test', name: 'a\u0000b' }],
    ['/role', { email: 'a@b.test', name: 'x', role: 'owner' }],
    ['/isAdmin', { email: 'a@b.test', name: 'x', isAdmin: true }],
  ])('refuses at %s what is wrong', async (pointer, body) => {
    const answer = await add(body).expectProblem(422, 'invalid_input');
    expect(answer.body).toMatchObject({
      errors: expect.arrayContaining([expect.objectContaining({ pointer })]) as unknown,
    });
  });
});

describe('PATCH /v1/tenants/:tenantId/users/:userId', () => {
  it('renames in this tenant only', async () => {
    const { body } = await add({ email: cast.outsider.person.email, name: 'Here' }).expect(201);
    const renamed = await cast.admin
      .patch(`${users()}/${body.id}`, { name: 'Renamed' })
      .set('if-match', '"1"')
      .expect(200);
    expect(renamed.body).toMatchObject({ name: 'Renamed', version: 2 });
    await cast.admin
      .patch(`${users()}/${body.id}`, { name: 'x' })
      .set('if-match', '"1"')
      .expectProblem(412, 'version_mismatch');
    const me = await cast.outsider.get('/v1/auth/me').expect(200);
    expect(JSON.stringify(me.body)).not.toContain('Renamed');
  });

  it('lets a member change the own name, and nothing else or of others', async () => {
    const { member, viewer } = cast;
    await member.patch(`${users()}/${member.id}`, { name: 'Me' }).expect(200);
    const { body } = await member
      .patch(`${users()}/${member.id}`, { status: 'active', name: 'x' })
      .expectProblem(403, 'field_not_permitted');
    expect(body).toMatchObject({ errors: [{ pointer: '/status' }] });
    await member.patch(`${users()}/${viewer.id}`, { name: 'You' }).expectProblem(403, 'permission_missing');
  });

  it.each(['email', 'role', 'tenantId', 'isAdmin', 'userId', 'constructor'])(
    'refuses the property %s by name',
    async (property) => {
      const { body } = await cast.admin
        .patch(`${users()}/${cast.viewer.id}`, { [property]: 'x' })
        .expectProblem(422, 'invalid_input');
      expect(body).toMatchObject({ errors: [{ pointer: `/${property}` }] });
    },
  );
});

describe('the roles of a user', () => {
  it('are replaced, given, and taken, each time with a new version', async () => {
    const { admin, viewer, tenant } = cast;
    const path = `${users()}/${viewer.id}/roles`;
    const ref = (id: string, name: string, system: string | null, expiresAt: string | null = null) => ({
      id,
      name,
      system,
      expiresAt,
    });
    const asViewer = ref(tenant.roles.viewer, 'Viewer', 'viewer');
    await admin.get(path).expect(200, { data: [asViewer], version: 1 });
    const expiresAt = '2100-01-01T00:00:00.000Z';
    await admin.put(`${path}/${tenant.roles.member}`, { expiresAt }).expect(200, {
      data: expect.arrayContaining([asViewer, ref(tenant.roles.member, 'Member', 'member', expiresAt)]) as unknown,
      version: 2,
    });
    await admin.delete(`${path}/${tenant.roles.viewer}`).set('if-match', '"1"').expectProblem(412, 'version_mismatch');
    await admin.delete(`${path}/${tenant.roles.viewer}`).set('if-match', '"2"').expect(204);
    await admin.put(path, { roles: [] }).expect(200, { data: [], version: 4 });
    await admin.delete(`${path}/${tenant.roles.viewer}`).expectProblem(404, 'not_found');
  });

  it('end in the future or never', async () => {
    const { admin, viewer, tenant } = cast;
    const expiresAt = '2020-01-01T00:00:00Z';
    const { body } = await admin
      .put(`${users()}/${viewer.id}/roles`, { roles: [{ roleId: tenant.roles.member, expiresAt }] })
      .expectProblem(422, 'invalid_input');
    expect(body).toMatchObject({ errors: [{ code: 'in_the_past' }] });
  });

  it('show what the user may do, each permission with the role that gives it', async () => {
    const { admin, tenant } = cast;
    const permissions = [
      { subject: 'User', action: 'read', conditions: { status: 'active' }, fields: ['id', 'name'] },
      { subject: 'Role', action: 'read', inverted: true },
    ];
    const roleId = await newRole(app, tenant, permissions);
    const user = await newUser(app, tenant, { roles: [roleId] });
    const path = `${users()}/${user.id}/permissions`;
    const role = { id: roleId, name: expect.any(String) as string, system: null };
    await admin.get(path).expect(200, { data: permissions.map((permission) => ({ ...permission, role })) });
    await admin.patch(`${users()}/${user.id}`, { status: 'suspended' }).expect(200);
    await admin.get(path).expect(200, { data: [] });
  });
});
