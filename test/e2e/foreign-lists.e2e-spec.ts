import { createTestApp, type TestApp } from '../support/app';
import { type Cast, newTenant, newUser } from '../support/tenant';

interface ListBody {
  data: { id: string }[];
  page: { nextCursor: string | null };
}

let app: TestApp;
/** Whose owner asks. */
let own: Cast;
/** Whose things are asked for. */
let foreign: Cast;
beforeAll(async () => {
  app = await createTestApp();
  [own, foreign] = [await newTenant(app), await newTenant(app)];
  await newUser(app, foreign.tenant, { name: 'Zebedee of elsewhere' });
  await foreign.owner
    .post(`/v1/tenants/${foreign.tenant.id}/roles`, { name: 'Zookeeper elsewhere', permissions: [] })
    .expect(201);
});
afterAll(() => app?.close());

const listOf = async ({ tenant, owner }: Cast, path: string): Promise<ListBody> =>
  (await owner.get<ListBody>(`/v1/tenants/${tenant.id}/${path}`).expect(200)).body;
const idsOf = ({ data }: ListBody): string[] => data.map(({ id }) => id);

describe("a list asked for with another tenant's things", () => {
  it.each(['users?sort=name', 'users?sort=-createdAt', 'roles?sort=name', 'audit-events?sort=occurredAt'])(
    'goes on from its cursor among the own rows alone: %s',
    async (query) => {
      const all = new Set(idsOf(await listOf(own, `${query}&limit=100`)));
      const { page } = await listOf(foreign, `${query}&limit=1`);
      const beyond = idsOf(await listOf(own, `${query}&limit=100&cursor=${page.nextCursor!}`));
      expect(beyond.filter((id) => !all.has(id))).toEqual([]);
      const theirs = idsOf(await listOf(foreign, `${query}&limit=100`));
      expect(theirs.filter((id) => all.has(id) || beyond.includes(id))).toEqual([]);
    },
  );

  it.each([
    ['their e-mail address', () => `users?email=${encodeURIComponent(foreign.member.person.email)}`],
    ['their role', () => `users?roleId=${foreign.tenant.roles.owner}`],
    ['their name', () => 'users?q=Zebedee'],
    ['the name of their role', () => 'roles?q=Zookeeper'],
    ['who did it there', () => `audit-events?actorUserId=${foreign.owner.id}`],
    ['what was done there', () => `audit-events?targetId=${foreign.tenant.id}`],
  ])('finds nothing by %s', async (_, queryOf) => {
    const query = queryOf();
    expect((await listOf(foreign, query)).data).not.toEqual([]);
    expect(await listOf(own, query)).toEqual({ data: [], page: { nextCursor: null } });
  });

  it('includes no role of theirs', async () => {
    const { body } = await own.owner
      .get<{ data: { roles: { id: string }[] }[] }>(`/v1/tenants/${own.tenant.id}/users?include=roles`)
      .expect(200);
    const shown = body.data.flatMap(({ roles }) => roles.map(({ id }) => id));
    expect(shown.length).toBeGreaterThan(0);
    expect(shown.filter((id) => !Object.values(own.tenant.roles).includes(id))).toEqual([]);
  });
});
