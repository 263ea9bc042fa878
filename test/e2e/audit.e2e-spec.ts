import { DenialRecorder } from '../../src/audit/denial-recorder';
import { Clock } from '../../src/common/clock';
import type { ApiClient, ApiResponse } from '../support/api-client';
import { createTestApp, newPassword, type TestApp } from '../support/app';
import type { TestLogin } from '../support/postgres';
import { newPerson, newTenant, newTenantWithOwner, newUser, type TestTenant } from '../support/tenant';

const UNKNOWN_ID = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9eff';
const MOMENT = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;
const UUID = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/) as string;

interface Event {
  id: string;
  occurredAt: string;
  action: string;
  result: string;
  actor: { type: string; userId: string | null; accountId?: string };
  target: { type: string; id: string } | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => app?.close());

const trailOf = ({ id }: Pick<TestTenant, 'id'>): string => `/v1/tenants/${id}/audit-events`;

/** The events of a trail that the caller sees. Refusals are written beside the requests: they are waited for. */
async function events(caller: ApiClient, path: string, query: Record<string, string | number> = {}): Promise<Event[]> {
  await app.nest.get(DenialRecorder).flush();
  const { body } = await caller.get<{ data: Event[] }>(path).query(query).expect(200);
  return body.data;
}

const actionsOf = (list: Event[]): string[] => list.map(({ action }) => action);

/** A tenant in which a role was made, changed, given, taken away and deleted by its owner. */
async function newEventfulTenant() {
  const cast = await newTenantWithOwner(app);
  const { tenant, owner } = cast;
  const path = `/v1/tenants/${tenant.id}`;
  const user = await newUser(app, tenant);
  const permissions = [{ subject: 'User', action: 'read' }];
  const { body: role } = await owner.post<{ id: string }>(`${path}/roles`, { name: 'Clerk', permissions }).expect(201);
  await owner.patch(`${path}/roles/${role.id}`, { name: 'Chief clerk' }).set('if-match', '"1"').expect(200);
  await owner.put(`${path}/users/${user.id}/roles/${role.id}`, {}).expect(200);
  await owner.delete(`${path}/users/${user.id}/roles/${role.id}`).expect(204);
  await owner.delete(`${path}/roles/${role.id}`).set('if-match', '"2"').expect(204);
  return { ...cast, user, role };
}

describe('GET /v1/tenants/:tenantId/audit-events', () => {
  it('tells who did what, when, from where, and the values before and after', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    await owner
      .patch(path, { name: 'Renamed' })
      .set('user-agent', 'Acceptance/1.0')
      .set('x-request-id', 'rename-1')
      .expect(200);
    const [event] = await events(owner, trailOf(tenant), { action: 'tenant.updated' });
    const common = { id: tenant.id, slug: tenant.slug, status: 'active', createdAt: MOMENT, updatedAt: MOMENT };
    expect(event).toEqual({
      id: UUID,
      occurredAt: MOMENT,
      action: 'tenant.updated',
      result: 'success',
      actor: { type: 'user', userId: owner.id },
      target: { type: 'Tenant', id: tenant.id },
      before: { ...common, name: tenant.name, version: 1 },
      after: { ...common, name: 'Renamed', version: 2 },
      address: owner.address,
      userAgent: 'Acceptance/1.0',
      requestId: 'rename-1',
    });
  });

  it('shows the newest first, the oldest first when asked', async () => {
    const { tenant, owner } = await newEventfulTenant();
    const oldestFirst = [
      'tenant.created',
      'user.added',
      'role.created',
      'role.updated',
      'role.assigned',
      'role.unassigned',
      'role.deleted',
    ];
    expect(actionsOf(await events(owner, trailOf(tenant), { sort: 'occurredAt' }))).toEqual(oldestFirst);
    expect(actionsOf(await events(owner, trailOf(tenant)))).toEqual(oldestFirst.toReversed());
  });

  it('filters by action, result, actor, target and time, and by all of them', async () => {
    const { tenant, owner, user, role } = await newEventfulTenant();
    const path = trailOf(tenant);
    const actionsWith = async (query: Record<string, string>): Promise<string[]> =>
      actionsOf(await events(owner, path, { sort: 'occurredAt', ...query }));
    const [, , created, updated] = await events(owner, path, { sort: 'occurredAt' });

    expect(await actionsWith({ action: 'role.assigned' })).toEqual(['role.assigned']);
    expect(await actionsWith({ result: 'denied' })).toEqual([]);
    expect(await actionsWith({ actorUserId: owner.id, action: 'user.added' })).toEqual([]);
    expect(await actionsWith({ targetId: role.id })).toEqual(['role.created', 'role.updated', 'role.deleted']);
    expect(await actionsWith({ targetId: role.id.toUpperCase(), actorUserId: owner.id.toUpperCase() })).toHaveLength(3);
    expect(await actionsWith({ targetId: user.id, actorUserId: owner.id })).toEqual([
      'role.assigned',
      'role.unassigned',
    ]);
    expect(await actionsWith({ targetId: UNKNOWN_ID })).toEqual([]);
    expect(await actionsWith({ from: created!.occurredAt, to: updated!.occurredAt })).toEqual(['role.created']);
    expect(await actionsWith({ to: '2020-01-01T00:00:00+01:00' })).toEqual([]);
  });

  it.each([
    ['action=role.exploded', '/query/action'],
    ['result=maybe', '/query/result'],
    ['actorUserId=me', '/query/actorUserId'],
    ['targetId=1', '/query/targetId'],
    ['from=2026-01-01', '/query/from'],
    ['from=2026-01-01T00:00:00', '/query/from'],
    ['to=yesterday', '/query/to'],
    ['to=2026-02-30T00:00:00Z', '/query/to'],
    ['sort=action', '/query/sort'],
    ['q=x', '/query/q'],
    ['tenantId=x', '/query/tenantId'],
  ])('refuses ?%s', async (query, pointer) => {
    const { body } = await app.administrator
      .get(`/v1/platform/audit-events?${query}`)
      .expectProblem(422, 'invalid_input');
    expect(body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ pointer })]));
  });

  it.each(['occurredAt', '-occurredAt'])('pages by %s through events of the same moment', async (sort) => {
    jest.spyOn(app.nest.get(Clock), 'now').mockReturnValue(new Date());
    const { tenant, owner } = await newEventfulTenant();
    const all = await events(owner, trailOf(tenant), { sort });
    const seen: Event[] = [];
    let next: string | undefined = `${trailOf(tenant)}?sort=${sort}&limit=3`;
    while (next) {
      const { body, headers }: ApiResponse<{ data: Event[] }> = await owner.get<{ data: Event[] }>(next).expect(200);
      seen.push(...body.data);
      next = /^<(.+)>; rel="next"$/.exec(headers.link ?? '')?.[1];
    }
    expect(seen).toEqual(all);
    expect(new Set(seen.map(({ occurredAt }) => occurredAt)).size).toBe(1);
  });

  it('records a refusal with who, what and on what, and the change that was refused not at all', async () => {
    const { tenant, owner, member, viewer } = await newTenant(app);
    const path = `/v1/tenants/${tenant.id}`;
    await viewer.post(`${path}/roles`, { name: 'Mine', permissions: [] }).expectProblem(403, 'permission_missing');
    await member.patch(`${path}/users/${owner.id}`, { name: 'x' }).expectProblem(403, 'permission_missing');
    const denied = await events(owner, trailOf(tenant), { result: 'denied', sort: 'occurredAt' });
    expect(denied).toEqual([
      expect.objectContaining({
        action: 'access.denied',
        actor: { type: 'user', userId: viewer.id },
        target: null,
        after: { permission: 'create Role' },
      }),
      expect.objectContaining({
        action: 'access.denied',
        actor: { type: 'user', userId: member.id },
        target: { type: 'User', id: owner.id },
        after: { permission: 'update User' },
      }),
    ]);
    expect(await events(owner, trailOf(tenant), { action: 'role.created' })).toEqual([]);
  });

  it('records nothing for a change that failed', async () => {
    const [first, second] = [await newTenantWithOwner(app), await newTenantWithOwner(app)];
    const path = `/v1/tenants/${first.tenant.id}`;
    await first.owner.patch(path, { slug: second.tenant.slug }).expectProblem(409, 'slug_taken');
    await first.owner.patch(path, { name: 'x' }).set('if-match', '"9"').expectProblem(412, 'version_mismatch');
    expect(actionsOf(await events(first.owner, trailOf(first.tenant)))).toEqual(['tenant.created']);
  });

  it('makes no change that it cannot record', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    const constraint = 'no_updates_for_now';
    const refuseUpdates = `ADD CONSTRAINT ${constraint} CHECK (action <> 'tenant.updated') NOT VALID`;
    await app.database.query('admin', `ALTER TABLE audit.events ${refuseUpdates}`);
    try {
      await owner.patch(path, { name: 'Unrecorded' }).expectProblem(500, 'internal_error');
    } finally {
      await app.database.query('admin', `ALTER TABLE audit.events DROP CONSTRAINT ${constraint}`);
    }
    const { body } = await owner.get(path).expect(200);
    expect(body).toMatchObject({ name: tenant.name, version: 1 });
  });

  it('tells a platform administrator from the users of the tenant, and nobody by their account', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const [created] = await events(owner, trailOf(tenant));
    expect(created).toMatchObject({ action: 'tenant.created', actor: { type: 'platform', userId: null } });
    expect(created!.after).toMatchObject({ slug: tenant.slug, ownerId: owner.id });
    const me = await owner.get('/v1/auth/me').expect(200);
    const everything = JSON.stringify(await events(owner, trailOf(tenant), { limit: 100 }));
    expect(everything).not.toContain(me.body.id);
    expect(everything).not.toContain('accountId');
  });

  it('takes a platform administrator who is a user of the tenant for that user', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const { body: me } = await app.administrator.get('/v1/auth/me').expect(200);
    const { body: user } = await owner
      .post(`/v1/tenants/${tenant.id}/users`, { email: me.email, name: 'Inspector' })
      .expect(201);
    await app.administrator.patch(`/v1/tenants/${tenant.id}`, { name: 'Inspected' }).expect(200);
    const [event] = await events(owner, trailOf(tenant), { action: 'tenant.updated' });
    expect(event!.actor).toEqual({ type: 'user', userId: user.id });
  });

  it('holds no password and no hash', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const person = newPerson('hired');
    await app.administrator.post(`/v1/tenants/${tenant.id}/users`, person).expect(201);
    const [added] = await events(owner, trailOf(tenant), { action: 'user.added' });
    expect(added!.after).toMatchObject({ email: person.email, name: person.name });
    expect(JSON.stringify(added)).not.toMatch(/password|argon2|hash/i);
    expect(JSON.stringify(added)).not.toContain(person.password);
  });

  it("shows nothing of another tenant's trail, nor of the platform's", async () => {
    const { tenant, owner, outsider } = await newTenant(app);
    await outsider.get(trailOf(tenant)).expectProblem(404, 'not_found');
    const trail = await events(owner, trailOf(tenant), { limit: 100 });
    expect(actionsOf(trail).filter((action) => /^(session|password|account|administrator)\./.test(action))).toEqual([]);
    for (const nil of ['00000000-0000-0000-0000-000000000000', UNKNOWN_ID]) {
      await owner.get(trailOf({ id: nil })).expectProblem(404, 'not_found');
      await app.administrator.get(trailOf({ id: nil })).expectProblem(404, 'not_found');
    }
  });

  it('is for owners and admins', async () => {
    const { tenant, admin, member, viewer } = await newTenant(app);
    await admin.get(trailOf(tenant)).expect(200);
    await member.get(trailOf(tenant)).expectProblem(403, 'permission_missing');
    await viewer.get(trailOf(tenant)).expectProblem(403, 'permission_missing');
  });

  it('shows the fields and the events that a role lets read', async () => {
    const { tenant } = await newEventfulTenant();
    const auditor = await newUser(app, tenant, {
      permissions: [
        {
          subject: 'AuditEvent',
          action: 'read',
          fields: ['action', 'occurredAt'],
          conditions: { action: { in: ['role.updated', 'role.deleted'] } },
        },
      ],
    });
    expect(await events(auditor, trailOf(tenant))).toEqual([
      { id: UUID, occurredAt: MOMENT, action: 'role.deleted' },
      { id: UUID, occurredAt: MOMENT, action: 'role.updated' },
    ]);
    expect(await events(auditor, trailOf(tenant), { action: 'role.created' })).toEqual([]);
  });

  it('lets nobody filter by a field that they may not read', async () => {
    const { tenant, owner } = await newEventfulTenant();
    const auditor = await newUser(app, tenant, {
      permissions: [{ subject: 'AuditEvent', action: 'read', fields: ['action', 'occurredAt'] }],
    });
    expect(await events(auditor, trailOf(tenant), { action: 'role.updated' })).toHaveLength(1);
    expect(await events(auditor, trailOf(tenant), { actorUserId: owner.id })).toEqual([]);
    expect(await events(auditor, trailOf(tenant), { result: 'success' })).toEqual([]);
  });
});

describe('GET /v1/platform/audit-events', () => {
  const PATH = '/v1/platform/audit-events';

  it('tells of sign-ins with the account, the session and the address', async () => {
    const { owner } = await newTenantWithOwner(app);
    const me = await owner.get('/v1/auth/me').expect(200);
    const trail = await events(app.administrator, PATH, { action: 'session.started', limit: 100 });
    expect(trail.find(({ actor }) => actor.accountId === me.body.id)).toEqual({
      id: UUID,
      occurredAt: MOMENT,
      action: 'session.started',
      result: 'success',
      actor: { type: 'user', userId: null, accountId: me.body.id },
      target: { type: 'Session', id: UUID },
      before: null,
      after: null,
      address: owner.address,
      userAgent: '',
      requestId: UUID,
    });
  });

  it('tells of refused sign-ins, and not what was typed', async () => {
    const { owner } = await newTenantWithOwner(app);
    const wrong = newPassword();
    const stranger = app.anonymous();
    const { email } = owner.person;
    await stranger.post('/v1/auth/login', { email, password: wrong }).expectProblem(401, 'invalid_credentials');
    const me = await owner.get('/v1/auth/me').expect(200);
    const trail = await events(app.administrator, PATH, { targetId: me.body.id });
    expect(trail).toEqual([
      expect.objectContaining({
        action: 'session.refused',
        result: 'failure',
        actor: { type: 'anonymous', userId: null, accountId: null },
        target: { type: 'Account', id: me.body.id },
        after: { reason: 'wrong_password' },
      }),
    ]);
    expect(JSON.stringify(trail)).not.toContain(wrong);
  });

  it('tells of refusals above tenants', async () => {
    const { owner } = await newTenantWithOwner(app);
    const me = await owner.get('/v1/auth/me').expect(200);
    await owner.get(PATH).expectProblem(403, 'permission_missing');
    const [denied] = await events(app.administrator, PATH, { result: 'denied', action: 'access.denied', limit: 1 });
    expect(denied).toMatchObject({
      actor: { type: 'user', accountId: me.body.id },
      after: { permission: 'read-audit Platform' },
    });
  });

  it('tells nothing of what happens within tenants', async () => {
    await newEventfulTenant();
    const trail = await events(app.administrator, PATH, { limit: 100 });
    expect(actionsOf(trail).filter((action) => /^(tenant|user|role)\./.test(action))).toEqual([]);
  });
});

describe('the audit trail', () => {
  it.each<TestLogin>(['app', 'platform', 'owner', 'admin'])('cannot be changed under the %s login', async (login) => {
    const { tenant } = await newTenantWithOwner(app);
    const statements = [
      `UPDATE audit.events SET action = 'role.created'`,
      'DELETE FROM audit.events',
      'TRUNCATE audit.events',
    ];
    for (const statement of statements) {
      const attempt = app.database.inTransaction(login, tenant.id, (client) => client.query(statement));
      await expect(attempt).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('has no route that changes it', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const [event] = await events(owner, trailOf(tenant));
    const path = trailOf(tenant);
    await owner.post(path, {}).expectProblem(404, 'route_not_found');
    await owner.delete(path).expectProblem(404, 'route_not_found');
    await owner.delete(`${path}/${event!.id}`).expectProblem(404, 'route_not_found');
    await owner.patch(`${path}/${event!.id}`, { result: 'denied' }).expectProblem(404, 'route_not_found');
  });
});
