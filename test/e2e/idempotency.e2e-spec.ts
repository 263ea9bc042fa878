import { SchedulerRegistry } from '@nestjs/schedule';
import { Clock } from '../../src/common/clock';
import type { ApiClient, ApiResponse } from '../support/api-client';
import { createTestApp, type TestApp, type Tokens } from '../support/app';
import { eventually } from '../support/eventually';
import { recordRestore } from '../support/restored-tenant';
import { newPerson, newTenantWithOwner, newUser } from '../support/tenant';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({}, { withBackups: true });
});
afterEach(() => jest.restoreAllMocks());
afterAll(() => app?.close());

let count = 0;
const newKey = (): string => `key-${++count}`;
/** The body of a tenant that nobody else makes. */
const newBody = (): { name: string; slug: string; owner: object } => {
  const { email, name } = newPerson('founder');
  return { name: 'Once', slug: `once-${++count}`, owner: { email, name } };
};

const post = (caller: ApiClient, path: string, key: string, body?: object) =>
  caller.post(path, body).set('idempotency-key', key);

const isReplay = ({ headers }: ApiResponse): boolean => headers['idempotency-replayed'] === 'true';

async function countTenants(slug: string): Promise<number> {
  return (await app.database.query('admin', 'SELECT id FROM app.tenants WHERE slug = $1', [slug])).length;
}

const keysStored = async (): Promise<number> =>
  (await app.database.query('admin', 'SELECT id FROM identity.idempotency_keys')).length;

/** How each POST is made so that it succeeds; a test asserts that none is missing. */
const POSTS: Record<string, () => Promise<{ caller: ApiClient; path: string; body?: object }>> = {
  '/v1/tenants': () => Promise.resolve({ caller: app.administrator, path: '/v1/tenants', body: newBody() }),
  '/v1/tenants/{tenantId}/suspend': () => inTenant('suspend'),
  '/v1/tenants/{tenantId}/resume': () => inTenant('resume'),
  '/v1/tenants/{tenantId}/restore': () => inTenant('restore'),
  '/v1/tenants/{tenantId}/users': async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const { email, name } = newPerson('hired');
    return { caller: owner, path: `/v1/tenants/${tenant.id}/users`, body: { email, name } };
  },
  '/v1/tenants/{tenantId}/roles': async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    return { caller: owner, path: `/v1/tenants/${tenant.id}/roles`, body: { name: 'Clerk', permissions: [] } };
  },
  '/v1/platform/erasures': async () => {
    const { tenant } = await newTenantWithOwner(app);
    const body = { subject: 'tenant', subjectId: tenant.id, confirm: tenant.slug };
    return { caller: app.administrator, path: '/v1/platform/erasures', body };
  },
  '/v1/platform/tenant-restores': async () => {
    const { tenant } = await newTenantWithOwner(app);
    const body = { tenant: tenant.slug, at: '2026-11-23T10:15:00Z', mode: 'dry-run' };
    return { caller: app.administrator, path: '/v1/platform/tenant-restores', body };
  },
  '/v1/platform/tenant-restores/{restoreId}/undo': async () => {
    const { tenant } = await newTenantWithOwner(app);
    const restoreId = await recordRestore(app.database, tenant.id);
    return { caller: app.administrator, path: `/v1/platform/tenant-restores/${restoreId}/undo`, body: {} };
  },
  '/v1/auth/login': async () => {
    const { owner } = await newTenantWithOwner(app);
    const { email, password } = owner.person;
    return { caller: app.anonymous(), path: '/v1/auth/login', body: { email, password } };
  },
  '/v1/auth/refresh': async () => {
    const { owner } = await newTenantWithOwner(app);
    const { refreshToken } = owner.tokens;
    return { caller: app.anonymous(), path: '/v1/auth/refresh', body: { refreshToken } };
  },
};
/** It ends the session that asks, so nobody comes back with the same token to hear it again. */
const NEVER_REPEATED = ['/v1/auth/logout'];

async function inTenant(verb: string): Promise<{ caller: ApiClient; path: string }> {
  const { tenant } = await newTenantWithOwner(app);
  return { caller: app.administrator, path: `/v1/tenants/${tenant.id}/${verb}` };
}

describe('Idempotency-Key', () => {
  it('is tried on every POST of the document', () => {
    const posts = app.target.recorder.contract.operations().filter((operation) => operation.startsWith('POST '));
    expect([...Object.keys(POSTS), ...NEVER_REPEATED].toSorted()).toEqual(
      posts.map((operation) => operation.slice('POST '.length)).toSorted(),
    );
  });

  it.each(Object.keys(POSTS))('gives the same answer to the same request: POST %s', async (route) => {
    const { caller, path, body } = await POSTS[route]!();
    const key = newKey();
    const first = await post(caller, path, key, body);
    expect(first.status).toBeLessThan(300);
    expect(isReplay(first)).toBe(false);
    const second = await post(caller, path, key, body).expect(first.status, first.body);
    expect(isReplay(second)).toBe(true);
    for (const header of ['location', 'etag', 'content-type']) {
      expect({ [header]: second.headers[header] }).toEqual({ [header]: first.headers[header] });
    }
  });

  it('does the work once', async () => {
    const body = newBody();
    const key = newKey();
    for (const _ of [1, 2, 3]) await post(app.administrator, '/v1/tenants', key, body).expect(201);
    expect(await countTenants(body.slug)).toBe(1);
    const events = await app.database.query('admin', `SELECT id FROM audit.events WHERE "after" ->> 'slug' = $1`, [
      body.slug,
    ]);
    expect(events).toHaveLength(1);
  });

  it('spends a refresh token once: the repetition is no reuse', async () => {
    const { owner } = await newTenantWithOwner(app);
    const { refreshToken } = owner.tokens;
    const stranger = app.anonymous();
    const key = newKey();
    const { body } = await post(stranger, '/v1/auth/refresh', key, { refreshToken }).expect(200);
    jest.spyOn(app.nest.get(Clock), 'now').mockReturnValue(new Date(Date.now() + 60_000)); // beyond the grace
    await post(stranger, '/v1/auth/refresh', key, { refreshToken }).expect(200, body);
    await stranger.post('/v1/auth/refresh', { refreshToken: (body as Tokens).refreshToken }).expect(200);
  });

  it('gives the answer on another instance, too', async () => {
    const body = newBody();
    const key = newKey();
    const first = await post(app.administrator, '/v1/tenants', key, body).expect(201);
    const elsewhere = app.administrator.at(await app.secondInstance());
    expect(isReplay(await post(elsewhere, '/v1/tenants', key, body).expect(201, first.body))).toBe(true);
  });

  it('takes the same properties in another order for another body', async () => {
    const { name, slug, owner } = newBody();
    const key = newKey();
    await post(app.administrator, '/v1/tenants', key, { name, slug, owner }).expect(201);
    await post(app.administrator, '/v1/tenants', key, { owner, slug, name }).expectProblem(
      422,
      'idempotency_key_reused',
    );
  });

  it('is refused with another body, and nothing is done', async () => {
    const key = newKey();
    const [first, second] = [newBody(), newBody()];
    await post(app.administrator, '/v1/tenants', key, first).expect(201);
    const { body } = await post(app.administrator, '/v1/tenants', key, second).expectProblem(
      422,
      'idempotency_key_reused',
    );
    expect(body.errors).toEqual([
      expect.objectContaining({ pointer: '/header/idempotency-key', code: 'idempotency_key_reused' }),
    ]);
    expect(await countTenants(second.slug)).toBe(0);
  });

  it("belongs to its caller: another's same key is another key", async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const admin = await newUser(app, tenant, { roles: ['admin'] });
    const path = `/v1/tenants/${tenant.id}/roles`;
    const key = newKey();
    const first = await post(owner, path, key, { name: 'One', permissions: [] }).expect(201);
    const second = await post(admin, path, key, { name: 'Two', permissions: [] }).expect(201);
    expect(isReplay(second)).toBe(false);
    expect(second.body.id).not.toBe(first.body.id);
  });

  it('belongs to its route: the same key elsewhere is another key', async () => {
    const [first, second] = [await newTenantWithOwner(app), await newTenantWithOwner(app)];
    const key = newKey();
    await post(app.administrator, `/v1/tenants/${first.tenant.id}/suspend`, key).expect(200);
    const other = await post(app.administrator, `/v1/tenants/${second.tenant.id}/suspend`, key).expect(200);
    expect(isReplay(other)).toBe(false);
    expect(other.body).toMatchObject({ id: second.tenant.id, status: 'suspended' });
  });

  it('lets one of ten twins do the work that come at once', async () => {
    const body = newBody();
    const key = newKey();
    const answers = await Promise.all(
      Array.from({ length: 10 }, async () => post(app.administrator, '/v1/tenants', key, body)),
    );
    const made = answers.filter((answer) => answer.status === 201 && !isReplay(answer));
    expect(made).toHaveLength(1);
    for (const answer of answers.filter((other) => other !== made[0])) {
      if (isReplay(answer)) expect(answer.body).toEqual(made[0]!.body);
      else answer.expectProblem(409, 'idempotency_key_in_use');
    }
    expect(await countTenants(body.slug)).toBe(1);
  });

  it('is free again when the request was refused', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const viewer = await newUser(app, tenant, { roles: ['viewer'] });
    const roles = `/v1/tenants/${tenant.id}/roles`;
    const key = newKey();
    await post(app.administrator, '/v1/tenants', key, { ...newBody(), slug: tenant.slug }).expectProblem(
      409,
      'slug_taken',
    );
    await post(app.administrator, '/v1/tenants', key, { name: 'x' }).expectProblem(422, 'invalid_input');
    await post(app.administrator, '/v1/tenants', key, newBody()).expect(201);
    await post(viewer, roles, key, { name: 'x', permissions: [] }).expectProblem(403, 'permission_missing');
    await app.administrator
      .put(`/v1/tenants/${tenant.id}/users/${viewer.id}/roles/${tenant.roles.admin}`, {})
      .expect(200);
    await post(viewer, roles, key, { name: 'x', permissions: [] }).expect(201);
    await post(owner, roles, key, { name: 'x', permissions: [] }).expectProblem(409, 'role_name_taken');
  });

  it('is free again when a failure of ours has certainly left nothing behind', async () => {
    const body = newBody();
    const key = newKey();
    const constraint = 'no_creation_for_now';
    const refuse = `ADD CONSTRAINT ${constraint} CHECK (action <> 'tenant.created') NOT VALID`;
    await app.database.query('admin', `ALTER TABLE audit.events ${refuse}`);
    try {
      await post(app.administrator, '/v1/tenants', key, body).expectProblem(500, 'internal_error');
    } finally {
      await app.database.query('admin', `ALTER TABLE audit.events DROP CONSTRAINT ${constraint}`);
    }
    await post(app.administrator, '/v1/tenants', key, body).expect(201);
  });

  it('stays taken when nobody knows whether the work was done: the connection died in its COMMIT', async () => {
    const body = newBody();
    const key = newKey();
    await app.database.query(
      'admin',
      `CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
       CREATE CONSTRAINT TRIGGER die AFTER INSERT ON app.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.die()`,
    );
    try {
      await post(app.administrator, '/v1/tenants', key, body).expectProblem(503, 'database_unavailable');
    } finally {
      await app.database.query('admin', 'DROP TRIGGER die ON app.tenants; DROP FUNCTION public.die()');
    }
    await post(app.administrator, '/v1/tenants', key, body).expectProblem(409, 'idempotency_key_in_use');
    await post(app.administrator, '/v1/tenants', newKey(), body).expect(201);
  });

  it('gives no answer to who has lost the right to ask', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const admin = await newUser(app, tenant, { roles: ['admin'] });
    const request = [`/v1/tenants/${tenant.id}/roles`, newKey(), { name: 'Clerk', permissions: [] }] as const;
    await post(admin, ...request).expect(201);
    await app.administrator
      .delete(`/v1/tenants/${tenant.id}/users/${admin.id}/roles/${tenant.roles.admin}`)
      .expect(204);
    await post(admin, ...request).expectProblem(403, 'permission_missing');
  });

  it('gives no tokens to who does not know the password', async () => {
    const { owner } = await newTenantWithOwner(app);
    const { email, password } = owner.person;
    const stranger = app.anonymous();
    const key = newKey();
    await post(stranger, '/v1/auth/login', key, { email, password }).expect(200);
    await post(stranger, '/v1/auth/login', key, { email, password: `${password}x` }).expectProblem(
      401,
      'invalid_credentials',
    );
  });

  it.each(['with space', 'ümlaut', 'x'.repeat(256), 'a, b'])('is refused as %j', async (key) => {
    const body = newBody();
    const { body: problem } = await post(app.administrator, '/v1/tenants', key, body).expectProblem(
      422,
      'invalid_input',
    );
    expect(problem.errors).toEqual([
      expect.objectContaining({ pointer: '/header/idempotency-key', code: 'invalid_idempotency_key' }),
    ]);
    expect(await countTenants(body.slug)).toBe(0);
  });

  it('means nothing to other methods', async () => {
    const { tenant, owner } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}`;
    const before = await keysStored();
    const key = newKey();
    await owner.get(path).set('idempotency-key', key).expect(200);
    await owner.patch(path, { name: 'One' }).set('idempotency-key', key).expect(200);
    const { body } = await owner.patch(path, { name: 'Two' }).set('idempotency-key', key).expect(200);
    expect(body.name).toBe('Two');
    expect(await keysStored()).toBe(before);
  });

  it('is forgotten after a day', async () => {
    const { tenant } = await newTenantWithOwner(app);
    const path = `/v1/tenants/${tenant.id}/suspend`;
    const key = newKey();
    await post(app.administrator, path, key).expect(200);
    await post(app.administrator, `/v1/tenants/${tenant.id}/resume`, newKey()).expect(200);
    await app.database.query(
      'admin',
      `UPDATE identity.idempotency_keys SET expires_at = expires_at - interval '24 hours'`,
    );
    const again = await post(app.administrator, path, key).expect(200);
    expect(isReplay(again)).toBe(false);
    expect(again.body.status).toBe('suspended');
    expect(isReplay(await post(app.administrator, path, key).expect(200, again.body))).toBe(true);
    expect(await keysStored()).toBeGreaterThan(1);
    // What the clock would call every hour, this table's cleaning among it.
    const jobs = [...app.nest.get(SchedulerRegistry).getCronJobs().values()];
    await Promise.all(jobs.map((job) => job.fireOnTick()));
    await eventually(async () => expect(await keysStored()).toBe(1));
  });

  it('leaves neither key nor answer readable in the database', async () => {
    const { owner } = await newTenantWithOwner(app);
    const { email, password } = owner.person;
    const key = 'a-key-that-could-be-recognized';
    const { body } = await post(app.anonymous(), '/v1/auth/login', key, { email, password }).expect(200);
    const { accessToken, refreshToken } = body as Tokens;
    const rows = await app.database.query<Record<string, unknown>>('admin', 'SELECT * FROM identity.idempotency_keys');
    const stored = rows.flatMap((row) => Object.values(row).map((value) => asText(value))).join('\n');
    expect(stored.length).toBeGreaterThan(accessToken.length);
    for (const secret of [key, password, email, accessToken, refreshToken, refreshToken.slice(3), 'Bearer']) {
      expect(stored).not.toContain(secret);
    }
  });
});

/** Bytes as whoever looks at the table could read them. */
const asText = (value: unknown): string => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value));
