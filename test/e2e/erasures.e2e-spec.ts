import { createPublicKey, type KeyObject } from 'node:crypto';
import { RECEIPT_TYPE } from '../../src/backups/erasures/erasure-receipt';
import type { ErasureDto } from '../../src/backups/erasures/erasure.dto';
import { verifyDocument } from '../../src/auth/signed-document';
import { newId } from '../../src/common/id';
import { newAccount, newSession } from '../support/account';
import { createTestApp, type TestApp } from '../support/app';
import { fingerprintOf } from '../support/tenant-rows';
import { newRole, newTenant, newTenantWithOwner, newUser, type UserClient } from '../support/tenant';
import { TENANT_TABLES, TENANTS } from '../support/tenant-tables';

const ERASURES = '/v1/platform/erasures';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app?.close());

const erase = async (body: object): Promise<ErasureDto> =>
  (await app.administrator.post<ErasureDto>(ERASURES, body).expect(201)).body;

const accountOf = async (user: UserClient): Promise<string> =>
  (await user.get<{ id: string }>('/v1/auth/me').expect(200)).body.id;

async function rowsOf(tenantId: string): Promise<number> {
  const parts = TENANT_TABLES.map(
    (table) => `SELECT count(*)::int AS rows FROM ${table} WHERE ${table === TENANTS ? 'id' : 'tenant_id'} = $1`,
  );
  const counts = await app.database.query<{ rows: number }>('admin', parts.join(' UNION ALL '), [tenantId]);
  return counts.reduce((sum, { rows }) => sum + rows, 0);
}

/** Every row of every table in which this text stands, wherever it stands. */
async function traces(text: string): Promise<string[]> {
  const tables = await app.database.query<{ name: string }>(
    'admin',
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname IN ('app', 'audit', 'identity', 'ops')`,
  );
  const parts = tables.map(({ name }) => `SELECT '${name}' AS found FROM ${name} t WHERE strpos(t::text, $1) > 0`);
  const rows = await app.database.query<{ found: string }>('admin', parts.join(' UNION ALL '), [text]);
  return rows.map(({ found }) => found).toSorted();
}

/** As a third party verifies it: with the published keys and nothing else. */
async function verified(jws: string): Promise<object> {
  const { body } = await app
    .anonymous()
    .get<{ keys: { kid: string }[] }>('/.well-known/document-keys.json')
    .expect(200);
  const keys = new Map<string, KeyObject>(
    body.keys.map((jwk) => [jwk.kid, createPublicKey({ key: { ...jwk }, format: 'jwk' })]),
  );
  return JSON.parse(verifyDocument(jws, RECEIPT_TYPE, keys).payload.toString()) as object;
}

describe('POST /v1/platform/erasures of a tenant', () => {
  it('leaves nothing of it, its audit trail included, nothing different elsewhere, and a signed receipt', async () => {
    const [gone, stays] = [await newTenant(app), await newTenant(app)];
    await newUser(app, gone.tenant, {
      roles: [await newRole(app, gone.tenant, [{ subject: 'User', action: 'read' }])],
    });
    await app.administrator.post(`/v1/tenants/${gone.tenant.id}/suspend`).expect(200);
    const [others, rows] = [await fingerprintOf(app.database, stays.tenant.id), await rowsOf(gone.tenant.id)];

    const erasure = await erase({ subject: 'tenant', subjectId: gone.tenant.id, confirm: gone.tenant.slug });

    expect(await rowsOf(gone.tenant.id)).toBe(0);
    expect(await traces(`"${gone.tenant.slug}"`)).toEqual([]);
    expect(await fingerprintOf(app.database, stays.tenant.id)).toBe(others);
    const removed = Object.entries(erasure.rows).filter(([table]) => TENANT_TABLES.includes(table));
    expect(removed.reduce((sum, [, count]) => sum + count, 0)).toBe(rows);
    expect(erasure).toMatchObject({
      subject: 'tenant',
      subjectId: gone.tenant.id,
      accountIds: [],
      erasedBy: expect.any(String) as string,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    const { receipt, sha256, ...said } = erasure;
    expect(await verified(receipt)).toMatchObject(said);
    expect(sha256).toHaveLength(64);
    await gone.owner.get('/v1/auth/me').expect(200); // the people stay
    await app.administrator.get(`/v1/tenants/${gone.tenant.id}`).expectProblem(404, 'not_found');
    const trail = await app.administrator
      .get<{ data: { action: string; target: object; after: object }[] }>('/v1/platform/audit-events')
      .query({ targetId: gone.tenant.id })
      .expect(200);
    expect(trail.body.data).toMatchObject([{ action: 'tenant.erased', after: { erasureId: erasure.id } }]);
  });

  it('takes the people with it who are in no other tenant, when asked to', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const elsewhere = await newTenantWithOwner(app);
    const alone = await newUser(app, tenant);
    const both = await newUser(app, tenant);
    await app.administrator
      .post(`/v1/tenants/${elsewhere.tenant.id}/users`, { email: both.person.email, name: both.person.name })
      .expect(201);
    const expected = [await accountOf(owner), await accountOf(alone)].toSorted();

    const erasure = await erase({
      subject: 'tenant',
      subjectId: tenant.id,
      confirm: tenant.slug,
      includeAccounts: true,
    });

    expect(erasure.accountIds.toSorted()).toEqual(expected);
    expect(erasure.rows).toMatchObject({ 'identity.users': 2, 'identity.credentials': 2 });
    expect(await traces(alone.person.email)).toEqual([]);
    await alone.get('/v1/auth/me').expectProblem(401, 'session_ended');
    await both.get('/v1/auth/me').expect(200);
  });

  it('erases what a purge has left: the audit trail', async () => {
    const { tenant } = await newTenantWithOwner(app);
    await app.database.query('admin', 'DELETE FROM app.membership_roles WHERE tenant_id = $1', [tenant.id]);
    await app.database.query('admin', 'DELETE FROM app.tenants WHERE id = $1', [tenant.id]);
    await app.administrator
      .post(ERASURES, { subject: 'tenant', subjectId: tenant.id, confirm: tenant.slug })
      .expectProblem(422, 'confirmation_mismatch');
    const { rows } = await erase({ subject: 'tenant', subjectId: tenant.id, confirm: tenant.id });
    expect(rows).toMatchObject({ 'app.tenants': 0, 'audit.events': 1 });
    await app.administrator
      .post(ERASURES, { subject: 'tenant', subjectId: tenant.id, confirm: tenant.id })
      .expectProblem(404, 'not_found');
  });

  it('refuses another slug, and what is no erasure', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const before = await fingerprintOf(app.database, tenant.id);
    const refused = (body: object, code: string) => app.administrator.post(ERASURES, body).expectProblem(422, code);
    await refused({ subject: 'tenant', subjectId: tenant.id, confirm: 'another' }, 'confirmation_mismatch');
    await refused({ confirm: 'another' }, 'invalid_input');
    await refused({ subject: 'account', subjectId: tenant.id, confirm: 'x', includeAccounts: true }, 'invalid_input');
    await refused({ subject: 'everything', subjectId: tenant.id, confirm: tenant.slug }, 'invalid_input');
    await app.administrator
      .post(ERASURES, { subject: 'tenant', subjectId: '00000000-0000-0000-0000-000000000000', confirm: 'x' })
      .expectProblem(404, 'not_found');
    expect(await fingerprintOf(app.database, tenant.id)).toBe(before);
  });
});

describe('POST /v1/platform/erasures of a person', () => {
  it('leaves no trace of name or address in any table, in all tenants, and the trail of the others as it was', async () => {
    const [{ tenant, owner }, second, third] = [
      await newTenantWithOwner(app),
      await newTenantWithOwner(app),
      await newTenantWithOwner(app),
    ];
    const person = await newUser(app, tenant, { roles: ['admin'], name: 'Wilhelmina Unmistakable' });
    const { email, name, password } = person.person;
    const id = await accountOf(person);
    for (const one of [second, third])
      await app.administrator.post(`/v1/tenants/${one.tenant.id}/users`, { email, name }).expect(201);
    const left = await app.administrator
      .get<{ data: { id: string }[] }>(`/v1/tenants/${third.tenant.id}/users`)
      .query({ email })
      .expect(200);
    await third.owner.delete(`/v1/tenants/${third.tenant.id}/users/${left.body.data[0]!.id}`).expect(204); // of the past
    await person.patch(`/v1/tenants/${tenant.id}/users/${person.id}`, { name: 'Wilhelmina Renamed' }).expect(200);
    const colleague = await newUser(app, tenant);
    await person
      .with({ 'user-agent': 'Unmistakable/1.0' })
      .patch(`/v1/tenants/${tenant.id}/users/${colleague.id}`, { name: 'Grace Hopper' })
      .expect(200);
    await newSession(app, { email, password }, { userAgent: 'Unmistakable/1.0' });
    await app.anonymous(person.address).post('/v1/auth/login', { email, password: 'wrong, wrong, wrong' }).expect(401);
    const key = { 'idempotency-key': newId() };
    const kept = { email: `${newId()}@kept.test`, name: 'Kept' };
    await owner.with(key).post(`/v1/tenants/${tenant.id}/users`, kept).expect(201);
    expect(await traces(name)).not.toEqual([]);
    const attempts = await app.database.query('admin', 'SELECT key FROM identity.sign_in_attempts');

    const erasure = await erase({ subject: 'account', subjectId: id, confirm: email.toUpperCase() });

    for (const text of [email, name, 'Wilhelmina', 'Unmistakable', person.address])
      expect([text, await traces(text)]).toEqual([text, []]);
    expect(erasure.rows).toMatchObject({
      'identity.users': 1,
      'identity.credentials': 1,
      'identity.sessions': 2,
      'app.memberships': 2,
      'app.membership_roles': 1,
      'identity.idempotency_keys': 0,
    });
    expect(erasure.rows['identity.sign_in_attempts']).toBeGreaterThan(0);
    expect((await app.database.query('admin', 'SELECT key FROM identity.sign_in_attempts')).length).toBe(
      attempts.length - erasure.rows['identity.sign_in_attempts']!,
    );
    expect(erasure.receipt).not.toContain(Buffer.from(email).toString('base64url').slice(0, 8));
    expect(JSON.stringify(await verified(erasure.receipt))).not.toContain('Wilhelmina');
    // What they did to others is still told, by ids.
    const { body } = await owner
      .get<{ data: { after: object; address: null; userAgent: null; actor: object }[] }>(
        `/v1/tenants/${tenant.id}/audit-events`,
      )
      .query({ targetId: colleague.id, action: 'user.updated' })
      .expect(200);
    expect(body.data).toMatchObject([
      { actor: { userId: person.id }, after: { name: 'Grace Hopper' }, address: null, userAgent: null },
    ]);
    const told = await owner
      .get<{ data: { action: string; after: object }[] }>(`/v1/tenants/${tenant.id}/audit-events`)
      .query({ targetId: person.id })
      .expect(200);
    expect(told.body.data.map(({ action }) => action)).toEqual(expect.arrayContaining(['user.erased', 'user.added']));
    await owner.with(key).post(`/v1/tenants/${tenant.id}/users`, kept).expect(201); // others' answers are kept
    await person.get('/v1/auth/me').expectProblem(401, 'session_ended');
    await app.administrator
      .post(ERASURES, { subject: 'account', subjectId: id, confirm: email })
      .expectProblem(404, 'not_found');
  });

  it('leaves no address of then in what restores of tenants have said', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const person = await newUser(app, tenant);
    const [id, other] = [await accountOf(person), await newTenantWithOwner(app)];
    const said = `The account unmistakable.then@example.test (${id}) is gone, and another account has its address.`;
    await app.database.query(
      'admin',
      `INSERT INTO ops.tenant_restores (id, tenant_id, tenant_slug, moment, mode, status, error_code, error, conflicts, instance, finished_at)
       SELECT gen_random_uuid(), $1, 'acme', now(), 'in-place', 'failed', 'email_taken', error, conflicts, 'one', now()
       FROM (VALUES ($2, NULL), (NULL, jsonb_build_array($2::text)), ('Nobody.', NULL)) AS told (error, conflicts)`,
      [other.tenant.id, said],
    );
    const erasure = await erase({ subject: 'account', subjectId: id, confirm: person.person.email });
    expect(await traces('unmistakable.then')).toEqual([]);
    expect(erasure.rows).toMatchObject({ 'ops.tenant_restores': 2 });
  });

  it('forgets a kept answer that shows the person, and does nothing twice for it', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const key = { 'idempotency-key': newId() };
    const body = { email: `${newId()}@answer.test`, name: 'In an answer' };
    const added = await owner.with(key).post<{ id: string }>(`/v1/tenants/${tenant.id}/users`, body).expect(201);
    const [account] = await app.database.query<{ id: string }>(
      'admin',
      'SELECT id FROM identity.users WHERE email = $1',
      [body.email],
    );
    const { rows } = await erase({ subject: 'account', subjectId: account!.id, confirm: body.email });
    expect(rows['identity.idempotency_keys']).toBe(1);
    await owner.with(key).post(`/v1/tenants/${tenant.id}/users`, body).expectProblem(409, 'idempotency_key_in_use');
    await owner.get(`/v1/tenants/${tenant.id}/users/${added.body.id}`).expectProblem(404, 'not_found');
  });

  it('refuses the last owner of a tenant, and names the tenants', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const id = await accountOf(owner);
    const before = await fingerprintOf(app.database, tenant.id);
    const body = { subject: 'account', subjectId: id, confirm: owner.person.email };
    const { body: problem } = await app.administrator
      .post<{ detail: string }>(ERASURES, body)
      .expectProblem(409, 'last_owner');
    expect(problem.detail).toContain(`${tenant.slug} (${tenant.id})`);
    expect(await fingerprintOf(app.database, tenant.id)).toBe(before);
    await newUser(app, tenant, { roles: ['owner'] });
    await erase(body);
  });

  it('lets a member go of a tenant that nobody owns', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const member = await newUser(app, tenant, { roles: ['member'] });
    await app.database.query('admin', 'DELETE FROM app.membership_roles WHERE tenant_id = $1 AND role_id = $2', [
      tenant.id,
      tenant.roles.owner,
    ]);
    await erase({ subject: 'account', subjectId: await accountOf(member), confirm: member.person.email });
  });

  it('refuses the last administrator of the platform, and treats one who erases himself as all others', async () => {
    const other = await newAccount(app, { isAdministrator: true });
    const session = await newSession(app, other, { userAgent: 'Himself/1.0' });
    const body = { subject: 'account', subjectId: other.id, confirm: other.email };
    await session.client.with({ 'user-agent': 'Himself/1.0' }).post(ERASURES, body).expect(201);
    expect(await traces('Himself/1.0')).toEqual([]);
    await session.client.get('/v1/auth/me').expectProblem(401, 'session_ended');
    const me = await app.administrator.get<{ id: string; email: string }>('/v1/auth/me').expect(200);
    await app.administrator
      .post(ERASURES, { subject: 'account', subjectId: me.body.id, confirm: me.body.email })
      .expectProblem(409, 'last_administrator');
  });
});

describe('GET /v1/platform/erasures', () => {
  it('lists the receipts, by what was erased, page by page', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const erasure = await erase({ subject: 'tenant', subjectId: tenant.id, confirm: tenant.slug });
    const listed = await app.administrator.get(ERASURES).query({ subjectId: tenant.id }).expect(200);
    expect(listed.body).toEqual({ data: [erasure], page: { nextCursor: null } });
    const first = await app.administrator
      .get<{ data: ErasureDto[]; page: { nextCursor: string } }>(ERASURES)
      .query({ limit: 1 })
      .expect(200);
    expect(first.body.data[0]!.id).toBe(erasure.id);
    const second = await app.administrator
      .get<{ data: ErasureDto[] }>(ERASURES)
      .query({ limit: 1, cursor: first.body.page.nextCursor })
      .expect(200);
    expect(second.body.data[0]!.id).not.toBe(erasure.id);
  });

  it('is for platform administrators', async () => {
    const { owner, tenant } = await newTenantWithOwner(app);
    await owner.get(ERASURES).expectProblem(403, 'permission_missing');
    await owner
      .post(ERASURES, { subject: 'tenant', subjectId: tenant.id, confirm: tenant.slug })
      .expectProblem(403, 'permission_missing');
  });
});

describe('the audit trail', () => {
  it.each(['app', 'platform', 'owner', 'admin', 'backup'] as const)('stays append-only for %s', async (login) => {
    const { tenant } = await newTenantWithOwner(app);
    for (const change of ["UPDATE audit.events SET action = 'x'", 'DELETE FROM audit.events', 'TRUNCATE audit.events'])
      await expect(
        app.database.inTransaction(login, tenant.id, (client) => client.query(change)),
      ).rejects.toMatchObject({ code: '42501' });
  });

  it.each(['app', 'backup', 'monitor'] as const)('cannot be erased from by %s', async (login) => {
    for (const call of ["ops.erase_tenant('00000000-0000-7000-8000-000000000000')", "ops.erase_accounts('{}')"])
      await expect(app.database.query(login, `SELECT ${call}`)).rejects.toMatchObject({ code: '42501' });
  });
});
