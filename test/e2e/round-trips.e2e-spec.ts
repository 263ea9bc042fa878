import { DenialRecorder } from '../../src/audit/denial-recorder';
import { SigningKeysService } from '../../src/auth/signing-keys.service';
import { statementDone } from '../../src/database/database-events';
import { newAccount } from '../support/account';
import { createTestApp, newPassword, type TestApp } from '../support/app';
import { type Cast, newTenant } from '../support/tenant';

let app: TestApp;
let cast: Cast;
/** The pool of each round trip. */
let trips: string[] = [];
const unsubscribe = statementDone.subscribe(({ pool }) => trips.push(pool));

beforeAll(async () => {
  app = await createTestApp();
  cast = await newTenant(app);
});
afterAll(async () => {
  unsubscribe();
  await app.close();
});

async function tripsOf(work: () => PromiseLike<unknown>): Promise<string[]> {
  await app.nest.get(SigningKeysService).publicKeys(); // read again now, should it be time
  trips = [];
  await work();
  await app.nest.get(DenialRecorder).flush();
  return trips;
}

const [OF_TENANT, ABOVE] = ['app', 'platform'];
const users = () => `/v1/tenants/${cast.tenant.id}/users`;
let people = 0;
const nobody = () => ({ email: `nobody-${(people += 1)}@example.com`, name: 'Nobody' });

describe('round trips to PostgreSQL', () => {
  it('signing in: account and limits; after the password, all that it starts', async () => {
    const { email, password } = await newAccount(app);
    const signIn = () => app.anonymous().post('/v1/auth/login', { email, password }).expect(200);
    expect(await tripsOf(signIn)).toEqual([ABOVE, ABOVE]);
  });

  it('failing to sign in: account and limits, and the event', async () => {
    const body = { email: nobody().email, password: newPassword() };
    const signIn = () => app.anonymous().post('/v1/auth/login', body).expect(401);
    expect(await tripsOf(signIn)).toEqual([ABOVE, ABOVE]);
  });

  it('exchanging a refresh token: the token under lock, and what follows', async () => {
    const { refreshToken } = (await app.signIn(await newAccount(app))).tokens;
    const refresh = () => app.anonymous().post('/v1/auth/refresh', { refreshToken }).expect(200);
    expect(await tripsOf(refresh)).toEqual([ABOVE, ABOVE]);
  });

  it('signing out: who asks, and the end', async () => {
    const client = await app.signIn(await newAccount(app));
    expect(await tripsOf(() => client.post('/v1/auth/logout').expect(204))).toEqual([OF_TENANT, ABOVE]);
  });

  it('creating a user: who asks, and account, user and event', async () => {
    expect(await tripsOf(() => cast.owner.post(users(), nobody()).expect(201))).toEqual([OF_TENANT, OF_TENANT]);
  });

  it('a user who is there already: no more', async () => {
    const { email } = cast.viewer.person;
    const create = () => cast.owner.post(users(), { email, name: 'Twice' }).expect(409);
    expect(await tripsOf(create)).toEqual([OF_TENANT, OF_TENANT]);
  });

  it('creating a role with what it permits: who asks, and role, permissions and event', async () => {
    const role = { name: 'Greeter', permissions: [{ subject: 'User', action: 'read', fields: ['name'] }] };
    const create = () => cast.owner.post(`/v1/tenants/${cast.tenant.id}/roles`, role).expect(201);
    expect(await tripsOf(create)).toEqual([OF_TENANT, OF_TENANT]);
  });

  it.each([
    ['renaming a user', () => `${users()}/${cast.viewer.id}`],
    ['renaming the tenant', () => `/v1/tenants/${cast.tenant.id}`],
  ])('%s: who asks, what it was, and the change with its event', async (_, path) => {
    const rename = () => cast.owner.patch(path(), { name: 'Renamed' }).expect(200);
    expect(await tripsOf(rename)).toEqual([OF_TENANT, OF_TENANT, OF_TENANT]);
  });

  it('a refusal: who asks, and the event', async () => {
    const refused = () => cast.viewer.post(users(), nobody()).expect(403);
    expect(await tripsOf(refused)).toEqual([OF_TENANT, OF_TENANT]);
  });
});
