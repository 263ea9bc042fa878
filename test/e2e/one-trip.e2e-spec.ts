import { newId } from '../../src/common/id';
import { accompany, whileWanted } from '../../src/database/abandonment';
import { AccompanyingCheck } from '../../src/database/accompanying-check';
import { type RequestDone, requestDone } from '../../src/http/request-done';
import { TenantDb } from '../../src/database/tenant-db';
import { Pools } from '../../src/database/pools';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { type Cast, newTenant, newUser } from '../support/tenant';

let app: TestApp;
let cast: Cast;
/** How often something was sent to the server and waited for. */
let trips: string[];

beforeAll(async () => {
  app = await createTestApp();
  cast = await newTenant(app);
  const { app: pool } = app.nest.get(Pools);
  const lease = pool.connect.bind(pool) as () => Promise<unknown>;
  const batch = pool['runBatch'].bind(pool);
  jest.spyOn(pool as unknown as { runBatch: typeof batch }, 'runBatch').mockImplementation((statements, scope) => {
    trips.push(scope?.check?.isOpen ? 'rights and statement' : 'statement');
    return batch(statements, scope);
  });
  jest.spyOn(pool as unknown as { connect: typeof lease }, 'connect').mockImplementation(() => {
    trips.push('transaction');
    return lease();
  });
});
beforeEach(() => {
  trips = [];
});
afterAll(() => app.close());

const users = () => `/v1/tenants/${cast.tenant.id}/users`;

describe('a request that reads', () => {
  it.each([
    ['a user', () => `${users()}/${cast.viewer.id}`],
    ['a user with roles', () => `${users()}/${cast.viewer.id}?include=roles`],
    ['a list of users', users],
    ['a list of users with roles', () => `${users()}?include=roles`],
    ['a list of roles', () => `/v1/tenants/${cast.tenant.id}/roles`],
    ['the tenant', () => `/v1/tenants/${cast.tenant.id}`],
  ])('asks for the caller’s rights in the same round trip: %s', async (_, path) => {
    await cast.viewer.get(path()).expect(200);
    trips = [];
    const { body } = await cast.viewer.get(path()).expect(200);
    expect(trips).toEqual(['rights and statement']);
    expect(body).toBeDefined();
  });

  it('is refused for what is so now, even when it was allowed a moment ago, and the other way round', async () => {
    const { owner, member, tenant } = cast;
    const path = `${users()}/${owner.id}`;
    const roles = `${users()}/${member.id}/roles`;
    await member.get(path).expect(200);
    await owner.put(roles, { roles: [] }).expect(200);
    trips = [];
    await member.get(path).expectProblem(403, 'permission_missing');
    expect(trips).toEqual(['rights and statement', 'statement', 'transaction']); // the refusal's record
    await owner.put(roles, { roles: [{ roleId: tenant.roles.member }] }).expect(200);
    trips = [];
    await member.get(path).expect(200);
    expect(trips[0]).toBe('statement');
  });

  it('answers nothing from before when what it asks for fails: wrong input of one who may not ask any more', async () => {
    const { owner, admin } = cast;
    const wrong = `${users()}?limit=nonsense`;
    await admin.get(wrong).expectProblem(422, 'invalid_input');
    await owner.put(`${users()}/${admin.id}/roles`, { roles: [] }).expect(200);
    await admin.get(wrong).expectProblem(403, 'permission_missing');
  });

  it('is one request, also when it is made once more for what its caller may do now', async () => {
    const [{ owner, tenant }, done] = [cast, [] as RequestDone[]];
    const user = await newUser(app, tenant, { roles: [tenant.roles.viewer] });
    const path = `${users()}/${owner.id}`;
    await user.get(path).expect(200);
    await owner.put(`${users()}/${user.id}/roles`, { roles: [{ roleId: tenant.roles.member }] }).expect(200);
    const end = requestDone.subscribe((request) => request.method === 'GET' && done.push(request));
    trips = [];
    await user.get(path).expect(200);
    expect(trips).toEqual(['rights and statement', 'statement', 'statement']);
    await eventually(async () => expect(done).toMatchObject([{ status: 200 }]));
    end();
  });

  it('is told to come again when its caller cannot be asked for anew, since the instance stops', async () => {
    const { owner, viewer } = cast;
    const path = `${users()}/${owner.id}`;
    await viewer.get(path).expect(200);
    await owner.put(`${users()}/${viewer.id}/roles`, { roles: [] }).expect(200);
    const fastify = app.nest.getHttpAdapter().getInstance() as object as Record<symbol, { closing: boolean }>;
    const state =
      fastify[Object.getOwnPropertySymbols(fastify).find(({ description }) => description === 'fastify.state')!]!;
    state.closing = true;
    await viewer.get(path).expectProblem(503, 'shutting_down');
    state.closing = false;
    await viewer.get(path).expectProblem(403, 'permission_missing');
  });
});

describe('what a request believes of its caller', () => {
  it('is settled before anything is written', async () => {
    const db = app.nest.get(TenantDb);
    const tenantId = newId();
    const work = jest.fn(() => Promise.resolve());
    const writing = whileWanted(new AbortController().signal, () => {
      accompany(new AccompanyingCheck(tenantId, { text: 'SELECT 1' }, ['1'], () => Promise.resolve(['2'])));
      return db.run(tenantId, work);
    });
    await expect(writing).rejects.toThrow('so no more');
    expect(work).not.toHaveBeenCalled();
  });
});
