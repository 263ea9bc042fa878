import { PLATFORM_TENANT_ID } from '../../src/common/id';
import { bearer, newAccount, newSession } from '../support/account';
import type { ApiResponse } from '../support/api-client';
import { createTestApp, newPassword, type SignedInClient, type TestApp } from '../support/app';
import { newPerson, newTenant, newTenantWithOwner, newUser } from '../support/tenant';

const UNKNOWN_ID = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9eff';
const MOMENT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/) as string;

let app: TestApp;
let administrator: SignedInClient;
beforeAll(async () => {
  app = await createTestApp();
  ({ administrator } = app);
});
afterAll(() => app?.close());

interface Named {
  name: string;
  slug: string;
  id: string;
}

let count = 0;
/** Nobody else's. */
const newSlug = (): string => `slug-${++count}`;

/** A new tenant's body, with an owner who has no account yet. */
const newBody = (changes: object = {}): object => {
  const { email, name } = newPerson('founder');
  return { name: 'Acme', slug: newSlug(), owner: { email, name }, ...changes };
};

const slugsOf = (data: Named[]): string[] => data.map(({ slug }) => slug);

describe('POST /v1/tenants', () => {
  it('creates a tenant, its system roles and its owner', async () => {
    const owner = newPerson('owner');
    const { body, headers } = await administrator
      .post('/v1/tenants', { name: '  Acme Inc. ', slug: 'acme', owner })
      .expect(201, {
        id: UUID,
        slug: 'acme',
        name: 'Acme Inc.',
        status: 'active',
        createdAt: MOMENT,
        updatedAt: MOMENT,
        version: 1,
      });
    expect(headers).toMatchObject({ location: `/v1/tenants/${body.id}`, etag: '"1"' });

    const founder = await app.signIn(owner);
    await founder.get(`/v1/tenants/${body.id}`).expect(200, body);
    const roles = await founder.get(`/v1/tenants/${body.id}/roles`).expect(200);
    expect(roles.body.data.map(({ system }: { system: string }) => system).toSorted()).toEqual([
      'admin',
      'member',
      'owner',
      'viewer',
    ]);
    const users = await founder.get(`/v1/tenants/${body.id}/users?include=roles`).expect(200);
    expect(users.body.data).toEqual([
      expect.objectContaining({
        email: owner.email,
        name: owner.name,
        status: 'active',
        roles: [expect.objectContaining({ system: 'owner', expiresAt: null })],
      }),
    ]);
  });

  it('makes an owner without a password, who cannot sign in until one is set', async () => {
    const owner = newPerson('owner');
    const { email, name, password } = owner;
    await administrator.post('/v1/tenants', newBody({ owner: { email, name } })).expect(201);
    await app.anonymous().post('/v1/auth/login', { email, password }).expectProblem(401, 'invalid_credentials');
    const accounts = await administrator.get('/v1/platform/accounts').query({ email }).expect(200);
    await administrator.patch(`/v1/platform/accounts/${accounts.body.data[0].id}`, { password }).expect(200);
    await app.signIn(owner);
  });

  it('takes a person who has an account, and leaves name and password as they are', async () => {
    const person = await newAccount(app);
    const { body: tenant } = await administrator
      .post('/v1/tenants', newBody({ owner: { email: person.email.toUpperCase(), name: 'As the tenant calls them' } }))
      .expect(201);
    const { client } = await newSession(app, person);
    const me = await client.get('/v1/auth/me').expect(200);
    expect(me.body).toMatchObject({ id: person.id, name: person.name, tenants: [{ id: tenant.id }] });
    const users = await client.get(`/v1/tenants/${tenant.id}/users?fields=name,email`).expect(200);
    expect(users.body.data).toEqual([{ id: UUID, name: 'As the tenant calls them', email: person.email }]);
  });

  it('gives no second password to a person who has an account', async () => {
    const { email, name } = await newAccount(app);
    const body = newBody({ owner: { email, name, password: newPassword() } });
    const { body: problem } = await administrator.post('/v1/tenants', body).expectProblem(409, 'account_exists');
    expect(problem.errors).toEqual([expect.objectContaining({ pointer: '/owner/password', code: 'account_exists' })]);
    const list = await administrator
      .get('/v1/tenants')
      .query({ q: (body as Named).slug })
      .expect(200);
    expect(list.body.data).toEqual([]);
  });

  it('refuses a weak password for the owner', async () => {
    const body = newBody({ name: 'Acme Rockets', owner: { ...newPerson('owner'), password: 'acmerockets2026' } });
    const { body: problem } = await administrator.post('/v1/tenants', body).expectProblem(422, 'weak_password');
    expect(problem.errors).toEqual([expect.objectContaining({ pointer: '/owner/password' })]);
  });

  it('refuses a slug that is taken, whatever became of its tenant', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const taken = newBody({ slug: tenant.slug });
    const { body: problem } = await administrator.post('/v1/tenants', taken).expectProblem(409, 'slug_taken');
    expect(problem.errors).toEqual([expect.objectContaining({ pointer: '/slug', code: 'slug_taken' })]);
    await administrator.delete(`/v1/tenants/${tenant.id}`).expect(204);
    await administrator.post('/v1/tenants', taken).expectProblem(409, 'slug_taken');
  });

  it('lets one of two win who want a slug at the same time', async () => {
    const slug = newSlug();
    const statuses = await Promise.all(
      [1, 2, 3].map(async () => (await administrator.post('/v1/tenants', newBody({ slug }))).status),
    );
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 409, 409]);
  });

  it.each(['a', '0', 'a-b', 'a--b', 'x'.repeat(63)])('takes the slug %s', async (slug) => {
    await administrator.post('/v1/tenants', newBody({ slug })).expect(201);
  });

  it.each(['', '-', '-a', 'a-', 'A', 'ä', 'a b', 'a_b', 'a.b', 'a/b', 'x'.repeat(64), 'a\u0000', 7, null])(
    'refuses the slug %j',
    async (slug) => {
      const { body } = await administrator.post('/v1/tenants', newBody({ slug })).expectProblem(422, 'invalid_input');
      expect(body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ pointer: '/slug' })]));
    },
  );

  it.each([
    [{ owner: undefined }, '/owner'],
    [{ owner: 'ada@tenant.test' }, '/owner'],
    [{ owner: [{ email: 'ada@tenant.test', name: 'Ada' }] }, '/owner'],
    [{ owner: { name: 'Ada' } }, '/owner/email'],
    [{ owner: { email: 'nobody', name: 'Ada' } }, '/owner/email'],
    [{ owner: { email: 'ada@tenant.test', name: '' } }, '/owner/name'],
    [{ owner: { email: 'ada@tenant.test', name: 'Ada', isAdmin: true } }, '/owner/isAdmin'],
    [{ name: ' ' }, '/name'],
    [{ name: 'x'.repeat(201) }, '/name'],
    [{ id: UNKNOWN_ID }, '/id'],
    [{ tenantId: UNKNOWN_ID }, '/tenantId'],
    [{ status: 'suspended' }, '/status'],
  ])('refuses %j and points to %s', async (changes, pointer) => {
    const { body } = await administrator.post('/v1/tenants', newBody(changes)).expectProblem(422, 'invalid_input');
    expect(body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ pointer })]));
  });

  it('is for platform administrators', async () => {
    const { owner } = await newTenantWithOwner(app);
    await owner.post('/v1/tenants', newBody()).expectProblem(403, 'permission_missing');
  });
});

describe('GET /v1/tenants', () => {
  it('shows people the tenants that they are in, and administrators all', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const other = await newTenantWithOwner(app);
    const mine = await owner.get('/v1/tenants').expect(200);
    expect(mine.body).toEqual({
      data: [
        {
          id: tenant.id,
          slug: tenant.slug,
          name: tenant.name,
          status: 'active',
          createdAt: MOMENT,
          updatedAt: MOMENT,
          version: 1,
        },
      ],
      page: { nextCursor: null },
    });
    const all = await administrator.get('/v1/tenants?sort=-createdAt&limit=2').expect(200);
    expect(slugsOf(all.body.data)).toEqual([other.tenant.slug, tenant.slug]);
  });

  it('shows a person all of several tenants, each with the rights held there', async () => {
    const person = await newAccount(app);
    const [first, second] = [await newTenantWithOwner(app), await newTenantWithOwner(app)];
    const { email, name } = person;
    await administrator
      .post(`/v1/tenants/${first.tenant.id}/users`, { email, name, roleIds: [first.tenant.roles.admin] })
      .expect(201);
    await administrator
      .post(`/v1/tenants/${second.tenant.id}/users`, { email, name, roleIds: [second.tenant.roles.viewer] })
      .expect(201);
    const { client } = await newSession(app, person);
    const { body } = await client.get('/v1/tenants?fields=slug').expect(200);
    expect(body.data).toEqual([
      { id: first.tenant.id, slug: first.tenant.slug },
      { id: second.tenant.id, slug: second.tenant.slug },
    ]);
    await client.patch(`/v1/tenants/${first.tenant.id}`, { name: 'Mine to rename' }).expect(200);
    await client.patch(`/v1/tenants/${second.tenant.id}`, { name: 'x' }).expectProblem(403, 'permission_missing');
  });

  it('shows nothing to who is in no tenant', async () => {
    const { client } = await newSession(app, await newAccount(app));
    await client.get('/v1/tenants').expect(200, { data: [], page: { nextCursor: null } });
  });

  it('pages through all in each order, forwards by Link', async () => {
    const prefix = newSlug();
    for (const suffix of ['b', 'c', 'a']) {
      await administrator.post('/v1/tenants', newBody({ slug: `${prefix}-${suffix}`, name: `Z${suffix} ${prefix}` }));
    }
    const orders = { createdAt: 'bca', '-createdAt': 'acb', name: 'abc', '-name': 'cba', slug: 'abc', '-slug': 'cba' };
    for (const [sort, expected] of Object.entries(orders)) {
      const seen: string[] = [];
      let next: string | undefined = `/v1/tenants?q=${prefix}-&sort=${sort}&limit=1&fields=slug`;
      while (next) {
        const { body, headers }: ApiResponse = await administrator.get(next).expect(200);
        seen.push(...slugsOf(body.data));
        next = /^<(.+)>; rel="next"$/.exec(headers.link ?? '')?.[1];
        expect(next === undefined).toBe(body.page.nextCursor === null);
      }
      expect({ sort, order: seen.map((slug) => slug.at(-1)).join('') }).toEqual({ sort, order: expected });
    }
  });

  it('finds by the beginning of name or slug, in any case, and by status', async () => {
    const slug = newSlug();
    const { body } = await administrator.post('/v1/tenants', newBody({ name: `Straße ${slug}`, slug })).expect(201);
    for (const q of [slug, slug.toUpperCase(), `STRAßE ${slug}`, `straße  ${slug}`]) {
      const found = await administrator.get('/v1/tenants').query({ q }).expect(200);
      expect({ q, slugs: slugsOf(found.body.data) }).toEqual({ q, slugs: [slug] });
    }
    await administrator.post(`/v1/tenants/${body.id}/suspend`).expect(200);
    const suspended = await administrator.get('/v1/tenants').query({ q: slug, status: 'suspended' }).expect(200);
    expect(slugsOf(suspended.body.data)).toEqual([slug]);
    const active = await administrator.get('/v1/tenants').query({ q: slug, status: 'active' }).expect(200);
    expect(active.body.data).toEqual([]);
  });

  it('takes no wildcard for one', async () => {
    for (const q of ['%', '_', '*', '\\']) {
      const { body } = await administrator.get('/v1/tenants').query({ q }).expect(200);
      expect({ q, data: body.data }).toEqual({ q, data: [] });
    }
  });

  it.each([
    ['sort=status', '/query/sort'],
    ['status=deleted', '/query/status'],
    ['deleted=all', '/query/deleted'],
    ['fields=purgeAfter', '/query/fields'],
    ['tenantId=x', '/query/tenantId'],
    ['q=', '/query/q'],
  ])('refuses ?%s', async (query, pointer) => {
    const { body } = await administrator.get(`/v1/tenants?${query}`).expectProblem(422, 'invalid_input');
    expect(body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ pointer })]));
  });

  it('refuses a cursor of another order', async () => {
    const { body } = await administrator.get('/v1/tenants?limit=1&sort=name').expect(200);
    const cursor = body.page.nextCursor as string;
    await administrator.get(`/v1/tenants?sort=slug&cursor=${cursor}`).expectProblem(422, 'invalid_cursor');
  });
});

describe('GET /v1/tenants/:tenantId', () => {
  it('answers 304 to who has the present version', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const { headers } = await owner.get(`/v1/tenants/${tenant.id}`).expect(200);
    const etag = headers.etag as string;
    await owner.get(`/v1/tenants/${tenant.id}`).set('if-none-match', etag).expect(304);
    await owner.patch(`/v1/tenants/${tenant.id}`, { name: 'Changed' }).expect(200);
    await owner.get(`/v1/tenants/${tenant.id}`).set('if-none-match', etag).expect(200);
  });

  it('gives the fields that are asked for', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    await owner.get(`/v1/tenants/${tenant.id}?fields=name,status`).expect(200, {
      id: tenant.id,
      name: tenant.name,
      status: 'active',
    });
    await owner.get(`/v1/tenants/${tenant.id}?fields=ownerId`).expectProblem(422, 'invalid_input');
  });

  it('leaves out what the role does not show', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const clerk = await newUser(app, tenant, {
      permissions: [{ subject: 'Tenant', action: 'read', fields: ['name'] }],
    });
    await clerk.get(`/v1/tenants/${tenant.id}`).expect(200, { id: tenant.id, name: tenant.name });
    await clerk.get(`/v1/tenants/${tenant.id}?fields=slug`).expect(200, { id: tenant.id });
  });

  it('is the same tenant in upper case', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const { body } = await owner.get(`/v1/tenants/${tenant.id.toUpperCase()}`).expect(200);
    expect(body.id).toBe(tenant.id);
  });

  it("answers to a stranger's tenant as to one that does not exist", async () => {
    const { tenant, outsider } = await newTenant(app);
    const stranger = await outsider.get(`/v1/tenants/${tenant.id}`).expectProblem(404, 'not_found');
    const nobody = await outsider.get(`/v1/tenants/${UNKNOWN_ID}`).expectProblem(404, 'not_found');
    expect(stranger.body.detail).toBe(nobody.body.detail);
    await administrator.get(`/v1/tenants/${UNKNOWN_ID}`).expectProblem(404, 'not_found');
    await administrator.get(`/v1/tenants/${PLATFORM_TENANT_ID}`).expectProblem(404, 'not_found');
  });
});

describe('PATCH /v1/tenants/:tenantId', () => {
  it('changes what it names', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    const before = await owner.get(path).expect(200);
    const renamed = await owner.patch(path, { name: 'New name' }).expect(200);
    expect(renamed.body).toEqual({ ...before.body, name: 'New name', version: 2, updatedAt: MOMENT });
    expect(renamed.headers.etag).toBe('"2"');
    const slug = newSlug();
    const moved = await owner.patch(path, { slug }).set('content-type', 'application/merge-patch+json').expect(200);
    expect(moved.body).toMatchObject({ name: 'New name', slug, version: 3 });
    const found = await administrator.get('/v1/tenants').query({ q: 'new NAME', sort: '-createdAt' }).expect(200);
    expect(slugsOf(found.body.data)).toContain(slug);
  });

  it('changes nothing for an empty patch', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    const { body } = await owner.get(path).expect(200);
    await owner.patch(path, {}).expect(200, body);
    const events = await owner.get(`${path}/audit-events?action=tenant.updated`).expect(200);
    expect(events.body.data).toEqual([]);
  });

  it('honours If-Match', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await owner.patch(path, { name: 'First' }).set('if-match', '"1"').expect(200);
    await owner.patch(path, { name: 'Second' }).set('if-match', '"1"').expectProblem(412, 'version_mismatch');
    await owner.patch(path, { name: 'Second' }).set('if-match', '*').expect(200);
    for (const etag of ['3', 'W/"3"', '"3", "4"', '"x"', '"99999999999"']) {
      const { body } = await owner
        .patch(path, { name: 'Third' })
        .set('if-match', etag)
        .expectProblem(422, 'invalid_input');
      expect(body.errors).toEqual([expect.objectContaining({ pointer: '/header/if-match', code: 'invalid_etag' })]);
    }
  });

  it('lets one of two changes win that know the same version', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const change = async (name: string): Promise<number> =>
      (await owner.patch(`/v1/tenants/${tenant.id}`, { name }).set('if-match', '"1"')).status;
    expect((await Promise.all([change('One'), change('Other')])).toSorted((a, b) => a - b)).toEqual([200, 412]);
  });

  it('refuses a slug that is taken', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const other = await newTenantWithOwner(app);
    const { body } = await owner
      .patch(`/v1/tenants/${tenant.id}`, { slug: other.tenant.slug })
      .expectProblem(409, 'slug_taken');
    expect(body.errors).toEqual([expect.objectContaining({ pointer: '/slug' })]);
    await owner.patch(`/v1/tenants/${tenant.id}`, { slug: tenant.slug }).expect(200);
  });

  it.each([
    [{ name: null }, '/name'],
    [{ slug: null }, '/slug'],
    [{ status: 'suspended' }, '/status'],
    [{ version: 7 }, '/version'],
    [{ id: UNKNOWN_ID }, '/id'],
    [{ deletedAt: null }, '/deletedAt'],
  ])('refuses %j', async (patch, pointer) => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const { body } = await owner.patch(`/v1/tenants/${tenant.id}`, patch).expectProblem(422, 'invalid_input');
    expect(body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ pointer })]));
  });

  it('refuses by name the field that the role does not let write', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const clerk = await newUser(app, tenant, {
      permissions: [
        { subject: 'Tenant', action: 'read' },
        { subject: 'Tenant', action: 'update', fields: ['name'] },
      ],
    });
    await clerk.patch(`/v1/tenants/${tenant.id}`, { name: 'Allowed' }).expect(200);
    const { body } = await clerk
      .patch(`/v1/tenants/${tenant.id}`, { name: 'And more', slug: newSlug() })
      .expectProblem(403, 'field_not_permitted');
    expect(body.errors).toEqual([expect.objectContaining({ pointer: '/slug', code: 'field_not_permitted' })]);
    const { body: after } = await clerk.get(`/v1/tenants/${tenant.id}`).expect(200);
    expect(after).toMatchObject({ name: 'Allowed', slug: tenant.slug });
  });
});

describe('POST /v1/tenants/:tenantId/suspend and /resume', () => {
  it('refuses every member from the next request on, until the tenant is resumed', async () => {
    const { tenant, owner, viewer } = await newTenant(app);
    const path = `/v1/tenants/${tenant.id}`;
    await viewer.get(`${path}/users`).expect(200);
    const { body } = await administrator.post(`${path}/suspend`).expect(200);
    expect(body).toMatchObject({ id: tenant.id, status: 'suspended', version: 2 });
    for (const member of [owner, viewer]) {
      await member.get(path).expectProblem(403, 'tenant_suspended');
      await member.get(`${path}/users`).expectProblem(403, 'tenant_suspended');
    }
    await owner.patch(path, { name: 'x' }).expectProblem(403, 'tenant_suspended');
    await owner.delete(path).expectProblem(403, 'tenant_suspended');
    const own = await owner.get('/v1/tenants?fields=status').expect(200);
    expect(own.body.data).toEqual([{ id: tenant.id, status: 'suspended' }]);

    await administrator.post(`${path}/resume`).expect(200);
    await viewer.get(`${path}/users`).expect(200);
  });

  it('keeps nobody out of their other tenants', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const other = await newTenantWithOwner(app);
    const { email, name } = owner.person;
    await administrator
      .post(`/v1/tenants/${other.tenant.id}/users`, { email, name, roleIds: [other.tenant.roles.viewer] })
      .expect(201);
    await administrator.post(`/v1/tenants/${tenant.id}/suspend`).expect(200);
    await owner.get(`/v1/tenants/${other.tenant.id}`).expect(200);
    await owner.get('/v1/auth/me').expect(200);
  });

  it('lets a platform administrator in, to look and to put things right', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await administrator.post(`${path}/suspend`).expect(200);
    await administrator.get(path).expect(200);
    await administrator.get(`${path}/users`).expect(200);
    await administrator.patch(path, { name: 'Put right' }).expect(200);
  });

  it('does nothing twice', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await administrator.post(`${path}/resume`).expect(200);
    const first = await administrator.post(`${path}/suspend`).expect(200);
    await administrator.post(`${path}/suspend`).expect(200, first.body);
    await administrator.post(`${path}/resume`).expect(200);
    const { body } = await owner.get(`${path}/audit-events?sort=occurredAt`).expect(200);
    expect(body.data.map(({ action }: { action: string }) => action)).toEqual([
      'tenant.created',
      'tenant.suspended',
      'tenant.resumed',
    ]);
  });

  it('honours If-Match', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await administrator.post(`${path}/suspend`).set('if-match', '"7"').expectProblem(412, 'version_mismatch');
    await administrator.post(`${path}/suspend`).set('if-match', '"1"').expect(200);
  });

  it("is not the owner's to do", async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    for (const verb of ['suspend', 'resume', 'restore']) {
      await owner.post(`/v1/tenants/${tenant.id}/${verb}`).expectProblem(403, 'permission_missing');
    }
  });
});

describe('DELETE /v1/tenants/:tenantId', () => {
  it('closes the tenant to all its members at once', async () => {
    const { tenant, owner, admin } = await newTenant(app);
    const path = `/v1/tenants/${tenant.id}`;
    await admin.delete(path).expectProblem(403, 'permission_missing');
    await owner.delete(path).expect(204);
    for (const member of [owner, admin]) {
      await member.get(path).expectProblem(404, 'not_found');
      await member.get(`${path}/users`).expectProblem(404, 'not_found');
      await member.get('/v1/tenants').expect(200, { data: [], page: { nextCursor: null } });
      await member.get('/v1/tenants?deleted=only').expect(200, { data: [], page: { nextCursor: null } });
    }
    await owner.delete(path).expectProblem(404, 'not_found');
  });

  it('keeps it for the platform to see for thirty days', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    await owner.delete(`/v1/tenants/${tenant.id}`).expect(204);
    const { body } = await administrator.get('/v1/tenants?deleted=only&sort=-createdAt&limit=1').expect(200);
    expect(body.data).toEqual([
      {
        id: tenant.id,
        slug: tenant.slug,
        name: tenant.name,
        status: 'active',
        createdAt: MOMENT,
        updatedAt: MOMENT,
        deletedAt: MOMENT,
        purgeAfter: MOMENT,
        version: 2,
      },
    ]);
    const [{ deletedAt, purgeAfter }] = body.data;
    expect(Date.parse(purgeAfter) - Date.parse(deletedAt)).toBe(30 * 24 * 3_600_000);
    await administrator.get(`/v1/tenants/${tenant.id}`).expect(200, body.data[0]);
    const others = await administrator.get('/v1/tenants').query({ q: tenant.slug }).expect(200);
    expect(others.body.data).toEqual([]);
  });

  it('lets nobody change it any more, the platform neither', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await owner.delete(path).expect(204);
    await administrator.patch(path, { name: 'x' }).expectProblem(404, 'not_found');
    await administrator.post(`${path}/suspend`).expectProblem(404, 'not_found');
    await administrator.delete(path).expectProblem(404, 'not_found');
  });

  it('honours If-Match', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    await owner.delete(`/v1/tenants/${tenant.id}`).set('if-match', '"2"').expectProblem(412, 'version_mismatch');
    await owner.delete(`/v1/tenants/${tenant.id}`).set('if-match', '"1"').expect(204);
  });
});

describe('POST /v1/tenants/:tenantId/restore', () => {
  it('takes the deletion back: members are in again with the tokens that they had', async () => {
    const { tenant, owner, member } = await newTenant(app);
    const path = `/v1/tenants/${tenant.id}`;
    await owner.delete(path).expect(204);
    const { body } = await administrator.post(`${path}/restore`).expect(200);
    expect(body).toEqual({
      id: tenant.id,
      slug: tenant.slug,
      name: tenant.name,
      status: 'active',
      createdAt: MOMENT,
      updatedAt: MOMENT,
      version: 3,
    });
    await member.get(path).expect(200, body);
    const list = await administrator.get('/v1/tenants?deleted=only&sort=-createdAt').expect(200);
    expect(slugsOf(list.body.data)).not.toContain(tenant.slug);
  });

  it('leaves a suspension in place', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await administrator.post(`${path}/suspend`).expect(200);
    await administrator.delete(path).expect(204);
    await administrator.post(`${path}/restore`).expect(200);
    await owner.get(path).expectProblem(403, 'tenant_suspended');
  });

  it('does nothing to a tenant that is not deleted', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const { body } = await administrator.post(`/v1/tenants/${tenant.id}/restore`).expect(200);
    expect(body.version).toBe(1);
  });

  it('is not for the owner of a deleted tenant', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    await owner.delete(`/v1/tenants/${tenant.id}`).expect(204);
    await bearer(app, owner.tokens.accessToken)
      .post(`/v1/tenants/${tenant.id}/restore`)
      .expectProblem(404, 'not_found');
  });
});
