import jwt from 'jsonwebtoken';
import { DenialRecorder } from '../../src/audit/denial-recorder';
import { OWN_PERMISSIONS, PLATFORM_PERMISSIONS } from '../../src/access/permissions';
import { ACCESS_TOKEN_ALGORITHM } from '../../src/auth/access-tokens.service';
import { SigningKeysService } from '../../src/auth/signing-keys.service';
import { newId } from '../../src/common/id';
import { createDocument } from '../../src/openapi';
import type { ApiResponse } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { play, SCENARIOS, setStage, type Stage } from '../support/scenarios';
import { newPerson, newUser, type UserClient } from '../support/tenant';
import { fingerprintOf, foreignRowsIn, ownersOfRows } from '../support/tenant-rows';
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
  app = await createTestApp({}, { withBackups: true });
  [stage, foreign] = await Promise.all([setStage(app), setStage(app)]);
  powerless = await newUser(app, stage.tenant);
}, 60_000);
afterAll(() => app.close());

/** The same token, signed with the same key, a minute after its time. */
async function expired(token: string): Promise<string> {
  const { header, payload } = jwt.decode(token, { complete: true })! as unknown as {
    header: jwt.JwtHeader;
    payload: object;
  };
  const past = Math.floor(Date.now() / 1000) - 60;
  const { privateKey } = await app.nest.get(SigningKeysService).signingKey();
  return jwt.sign({ ...payload, iat: past - 600, exp: past }, privateKey, {
    algorithm: ACCESS_TOKEN_ALGORITHM,
    header,
  });
}

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

describe('without a live token', () => {
  const tokens: Record<string, string> = { invalid_token: 'eyJhbGciOiJub25lIn0.e30.' };

  beforeAll(async () => {
    tokens.token_expired = await expired(stage.owner.tokens.accessToken);
    const ended = await app.signIn(stage.owner.person);
    await ended.post('/v1/auth/logout').expect(204);
    tokens.session_ended = ended.tokens.accessToken;
  });

  it.each(protectedOnes)(
    '%s is 401: none, none of ours, an expired one, one of an ended session',
    async (operation) => {
      await play(stage, operation, { caller: app.anonymous() }).expectProblem(401, 'unauthenticated');
      for (const [code, token] of Object.entries(tokens)) {
        const caller = app.anonymous().with({ authorization: `Bearer ${token}` });
        await play(stage, operation, { caller }).expectProblem(401, code);
      }
    },
  );
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
    const { ids, caller, unknownIds } = SCENARIOS[operation]!;
    // An administrator sees all tenants: whoever is confined to one has to ask.
    const confined = operation.includes('{tenantId}') || caller === undefined;
    const mine = ids!(stage);
    const theirs = ids!(foreign)[parameter]!;
    const by = confined && parameter === 'tenantId' ? stage.owner : (caller?.(stage) ?? stage.owner);
    const isAdministrators = by === app.administrator;
    const ask = (id: string) => play(stage, operation, { ids: { ...mine, [parameter]: id }, caller: by });
    const random = await ask(unknownIds?.[parameter] ?? newId());
    expect(random.status).toBe(404);
    if (isAdministrators) return; // above tenants nothing is foreign
    expect(wordsOf(await ask(theirs))).toEqual(wordsOf(random));
  });
});

describe('the ids of another tenant together', () => {
  it.each(ofTenants)('%s answers as for ids that do not exist', async (operation) => {
    const ask = (ids: Record<string, string>) => play(stage, operation, { ids, caller: stage.owner });
    const theirs = SCENARIOS[operation]!.ids!(foreign);
    const random = Object.fromEntries(Object.keys(theirs).map((name) => [name, newId()]));
    const answer = await ask(theirs).expectProblem(404, 'not_found');
    expect(wordsOf(answer)).toEqual(wordsOf(await ask(random)));
  });
});

describe('a role of another tenant in a body', () => {
  it.each([
    ['POST /v1/tenants/{tenantId}/users', (id: string) => ({ ...person('user'), roleIds: [id] })],
    ['PUT /v1/tenants/{tenantId}/users/{userId}/roles', (id: string) => ({ roles: [{ roleId: id }] })],
  ])('%s refuses it as one that does not exist', async (operation, bodyOf) => {
    const before = await fingerprintOf(app.database, stage.tenant.id);
    const random = await play(stage, operation, { body: bodyOf(newId()) });
    expect(random.status).toBe(422);
    expect(wordsOf(await play(stage, operation, { body: bodyOf(foreign.roleId) }))).toEqual(wordsOf(random));
    expect(await fingerprintOf(app.database, stage.tenant.id)).toBe(before);
  });

  const person = (kind: string): { email: string; name: string } => {
    const { email, name } = newPerson(kind);
    return { email, name };
  };
});

describe('a tenant named elsewhere than in the path', () => {
  /** Those of the platform's may show any tenant. */
  const confined = restricted.filter((operation) => !SCENARIOS[operation]!.caller);

  it.each(confined)('%s does not hear a header, nor the query', async (operation) => {
    const fresh = await setStage(app);
    const before = await fingerprintOf(app.database, foreign.tenant.id);
    const { status } = SCENARIOS[operation]!;
    const caller = fresh.owner.with({ 'x-tenant-id': foreign.tenant.id, 'tenant-id': foreign.tenant.id });
    const answers = [await play(fresh, operation, { caller }).query({ tenantId: foreign.tenant.id })];
    // Operations that take parameters refuse unknown ones; the others do not look at the query.
    if (answers[0]!.status === 422) answers.push(await play(fresh, operation, { caller }));
    expect(answers.at(-1)!.status).toBe(status);
    const owners = await ownersOfRows(app.database);
    expect(answers.flatMap(({ body }) => foreignRowsIn(body, fresh.tenant.id, owners))).toEqual([]);
    expect(await fingerprintOf(app.database, foreign.tenant.id)).toBe(before);
  });

  const withBodies = names.filter((operation) => SCENARIOS[operation]!.body);

  it.each(withBodies)('%s refuses it in the body', async (operation) => {
    const before = await fingerprintOf(app.database, foreign.tenant.id);
    const body = { ...SCENARIOS[operation]!.body!(stage), tenantId: foreign.tenant.id };
    const answer = await play(stage, operation, { body }).expectProblem(422, 'invalid_input');
    expect(answer.body).toMatchObject({ errors: [{ pointer: '/tenantId', code: 'unknown_property' }] });
    expect(await fingerprintOf(app.database, foreign.tenant.id)).toBe(before);
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
  const open = ofTenants.filter((operation) => !SCENARIOS[operation]!.caller);
  let fresh: Stage;

  beforeAll(async () => {
    fresh = await setStage(app);
    await fresh.owner
      .patch(`/v1/tenants/${fresh.tenant.id}/users/${fresh.admin.id}`, { status: 'suspended' })
      .expect(200);
  });

  it.each(open)('%s refuses a suspended user', async (operation) => {
    await play(fresh, operation, { caller: fresh.admin }).expectProblem(403, 'membership_suspended');
  });

  describe('with the whole tenant', () => {
    beforeAll(async () => {
      await app.administrator.post(`/v1/tenants/${fresh.tenant.id}/suspend`).expect(200);
    });

    it.each(open)('%s refuses its owner', async (operation) => {
      await play(fresh, operation).expectProblem(403, 'tenant_suspended');
    });
  });
});
