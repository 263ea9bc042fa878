import { DenialRecorder } from '../../src/audit/denial-recorder';
import { OWN_PERMISSIONS, PLATFORM_PERMISSIONS } from '../../src/access/permissions';
import { newId } from '../../src/common/id';
import { createDocument } from '../../src/openapi';
import type { ApiResponse } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { play, SCENARIOS, setStage, type Stage } from '../support/scenarios';
import { newUser, type UserClient } from '../support/tenant';
import committed from '../../openapi.json';

type Operation = { 'x-permission'?: { action: string; subject: string } };
const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** The operations of the committed document; documents.arch-spec.ts sees to it that it is the application's own. */
const OPERATIONS = new Map<string, Operation>(
  Object.entries(committed.paths as Record<string, Partial<Record<(typeof METHODS)[number], Operation>>>).flatMap(
    ([path, item]) =>
      METHODS.flatMap((method) => (item[method] ? [[`${method.toUpperCase()} ${path}`, item[method]] as const] : [])),
  ),
);
const names = [...OPERATIONS.keys()];
const permissionOf = (operation: string) => OPERATIONS.get(operation)!['x-permission'];
const protectedOnes = names.filter(permissionOf);
const held = (subject: string): boolean => Object.hasOwn(OWN_PERMISSIONS, subject);
const restricted = protectedOnes.filter((operation) => !held(permissionOf(operation)!.subject));
const ofTenants = names.filter((operation) => operation.includes('{tenantId}'));
const withIds = names.filter((operation) => operation.includes('{'));

let app: TestApp;
let stage: Stage;
/** Objects of another tenant, and of another person. */
let foreign: Stage;
/** In the tenant, without any role. */
let powerless: UserClient;

beforeAll(async () => {
  app = await createTestApp();
  [stage, foreign] = await Promise.all([setStage(app), setStage(app)]);
  powerless = await newUser(app, stage.tenant);
}, 60_000);
afterAll(() => app.close());

/** What an answer says, without what names the request itself. */
function wordsOf({ status, body }: ApiResponse): object {
  const { instance: _instance, requestId: _requestId, ...words } = body as Record<string, unknown>;
  return { status, words };
}

describe('the table of scenarios', () => {
  it('knows each operation of the document, and no other', () => {
    expect(Object.keys(SCENARIOS).sort()).toEqual([...names].sort());
  });

  it('is read against the document of the running application', () => {
    expect(createDocument(app.nest).paths).toEqual(committed.paths);
  });
});

describe('without a token', () => {
  it.each(protectedOnes)('%s is 401', async (operation) => {
    await play(stage, operation, { caller: app.anonymous() }).expectProblem(401, 'unauthenticated');
  });

  it.each(protectedOnes)('%s is 401 with one that is none', async (operation) => {
    const caller = app.anonymous().with({ authorization: 'Bearer eyJhbGciOiJub25lIn0.e30.' });
    await play(stage, operation, { caller }).expectProblem(401, 'invalid_token');
  });
});

describe('without its permission', () => {
  it.each(restricted)('%s is 403, and the refusal is on record', async (operation) => {
    const { action, subject } = permissionOf(operation)!;
    const caller = Object.hasOwn(PLATFORM_PERMISSIONS, subject) ? stage.owner : powerless;
    const { headers } = await play(stage, operation, { caller }).expectProblem(403, 'permission_missing');
    await app.nest.get(DenialRecorder).flush();
    const events = await app.database.query(
      'admin',
      'SELECT action, result, after FROM audit.events WHERE request_id = $1',
      [headers['x-request-id']],
    );
    expect(events).toEqual([
      { action: 'access.denied', result: 'denied', after: { permission: `${action} ${subject}` } },
    ]);
  });
});

describe('an id of another tenant', () => {
  const cases = withIds.flatMap((operation) =>
    [...operation.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => [operation, parameter!] as const),
  );

  it.each(cases)('%s answers for a foreign %s as for one that does not exist', async (operation, parameter) => {
    const { ids, caller } = SCENARIOS[operation]!;
    // An administrator sees all tenants: whoever is confined to one has to ask.
    const confined = operation.includes('{tenantId}') || caller === undefined;
    const mine = ids!(stage);
    const theirs = ids!(foreign)[parameter]!;
    const by = confined && parameter === 'tenantId' ? stage.owner : (caller?.(stage) ?? stage.owner);
    const isAdministrators = by === app.administrator;
    const ask = (id: string) => play(stage, operation, { ids: { ...mine, [parameter]: id }, caller: by });
    const random = await ask(newId());
    expect(random.status).toBe(404);
    if (isAdministrators) return; // above tenants nothing is foreign
    expect(wordsOf(await ask(theirs))).toEqual(wordsOf(random));
  });
});

describe('a tenant named elsewhere than in the path', () => {
  const reads = ofTenants.filter((operation) => operation.startsWith('GET'));
  const writes = ofTenants.filter((operation) => SCENARIOS[operation]!.body && !SCENARIOS[operation]!.caller);

  it.each(reads)('%s does not hear a header', async (operation) => {
    const caller = stage.owner.with({ 'x-tenant-id': foreign.tenant.id });
    const { body } = await play(stage, operation, { caller }).expect(200);
    expect(JSON.stringify(body)).not.toContain(foreign.tenant.id);
  });

  it.each(reads)('%s refuses it in the query', async (operation) => {
    const { ids } = SCENARIOS[operation]!;
    const call = play(stage, operation, { ids: ids!(stage) }).query({ tenantId: foreign.tenant.id });
    const { status, body } = await call;
    // Routes without parameters do not look at the query at all.
    expect([200, 422]).toContain(status);
    expect(JSON.stringify(body)).not.toContain(foreign.tenant.id);
  });

  it.each(writes)('%s refuses it in the body', async (operation) => {
    const body = { ...SCENARIOS[operation]!.body!(stage), tenantId: foreign.tenant.id };
    const answer = await play(stage, operation, { body }).expectProblem(422, 'invalid_input');
    expect(answer.body).toMatchObject({ errors: [{ pointer: '/tenantId', code: 'unknown_property' }] });
  });
});

describe('with its own ids and a live token', () => {
  it.each(names)('%s succeeds', async (operation) => {
    const fresh = await setStage(app);
    if (operation.endsWith('/restore')) await play(fresh, 'DELETE /v1/tenants/{tenantId}').expect(204);
    await play(fresh, operation).expect(SCENARIOS[operation]!.status);
  });
});

describe('who is shut out', () => {
  it.each(ofTenants.filter((operation) => !SCENARIOS[operation]!.caller))(
    '%s refuses a suspended user and a suspended tenant',
    async (operation) => {
      const fresh = await setStage(app);
      const admin = fresh.admin;
      const shutOut = { caller: admin };
      await fresh.owner.patch(`/v1/tenants/${fresh.tenant.id}/users/${admin.id}`, { status: 'suspended' }).expect(200);
      await play(fresh, operation, shutOut).expectProblem(403, 'membership_suspended');
      await app.administrator.post(`/v1/tenants/${fresh.tenant.id}/suspend`).expect(200);
      await play(fresh, operation).expectProblem(403, 'tenant_suspended');
    },
  );
});
