import pg from 'pg';
import { createTestApp, type TestApp } from '../support/app';
import { type Cast, newRole, newTenant, newUser } from '../support/tenant';

interface User {
  id: string;
  name?: string;
  email?: string;
  createdAt?: string;
  roles?: unknown[];
}
interface UsersPage {
  data: User[];
  page: { nextCursor: string | null };
}

const COUNT = 45;
let app: TestApp;
let cast: Cast;

beforeAll(async () => {
  app = await createTestApp();
  cast = await newTenant(app);
  for (let index = 0; index < COUNT; index += 1) {
    // Every third has the same name: the id has to decide between them.
    const name = index % 3 === 0 ? 'Same Name' : `Person ${String(index).padStart(2, '0')}`;
    await cast.admin
      .post(users(), { email: `list-${index}@list.test`, name, roleIds: [cast.tenant.roles.viewer] })
      .expect(201);
  }
  for (const [index, name] of ["O'Hara_%\\", 'ÅNGSTRÖM Émile', '李 小龍', 'ΟΔΥΣΣΕΥΣ'].entries())
    await cast.admin.post(users(), { email: `special-${index}@list.test`, name }).expect(201);
}, 60_000);
afterAll(() => app.close());

const users = () => `/v1/tenants/${cast.tenant.id}/users`;
const list = async (query: string): Promise<UsersPage> =>
  (await cast.admin.get<UsersPage>(`${users()}?${query}`).expect(200)).body;
const find = async (q: string): Promise<(string | undefined)[]> =>
  (await list(`q=${encodeURIComponent(q)}&limit=100`)).data.map(({ name }) => name);

/** All pages, by Link. */
async function all(query: string): Promise<User[]> {
  const found: User[] = [];
  let path: string | undefined = `${users()}?${query}`;
  while (path) {
    const { body, headers }: { body: UsersPage; headers: Record<string, string> } = await cast.admin
      .get<UsersPage>(path)
      .expect(200);
    found.push(...body.data);
    path = /^<(.*)>; rel="next"$/.exec(headers.link ?? '')?.[1];
  }
  return found;
}

describe('a list', () => {
  it.each(['createdAt', '-createdAt', 'name', '-name', 'email', '-email'])(
    'sorted by %s is paged without gap or repetition',
    async (sort) => {
      const paged = await all(`sort=${sort}&limit=7`);
      const whole = (await list(`sort=${sort}&limit=100`)).data;
      expect(paged.map(({ id }) => id)).toEqual(whole.map(({ id }) => id));
      expect(new Set(paged.map(({ id }) => id)).size).toBe(COUNT + 8);
      const field = sort.replace('-', '') as 'createdAt' | 'name' | 'email';
      const values = whole.map((user) =>
        field === 'name' ? user.name!.normalize('NFKC').toLowerCase().replaceAll('ς', 'σ') : user[field]!,
      );
      const sorted = values.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(values).toEqual(sort.startsWith('-') ? sorted.toReversed() : sorted);
    },
  );

  it('goes on where it was while rows come and go', async () => {
    const first = await list('sort=email&limit=10');
    await cast.admin.post(users(), { email: 'aaa@list.test', name: 'Early' }).expect(201);
    const second = await list(`sort=email&limit=10&cursor=${first.page.nextCursor!}`);
    expect(second.data[0]!.email! > first.data.at(-1)!.email!).toBe(true);
  });

  it('finds by the beginning of name or e-mail address, whatever the case', async () => {
    expect(await find('same n')).toHaveLength(COUNT / 3);
    expect(await find('LIST-1@')).toHaveLength(1);
    expect(await find('name')).toEqual([]); // the middle is not the beginning
  });

  it.each([
    ["o'hara_%\\", "O'Hara_%\\"],
    ['ångström é', 'ÅNGSTRÖM Émile'],
    ['李', '李 小龍'],
    ['ΟΔΥΣ', 'ΟΔΥΣΣΕΥΣ'],
  ])('finds %s', async (q, name) => {
    expect(await find(q)).toEqual([name]);
  });

  it.each(['%', '_', '\\', "' OR true --", '*'])('takes %s for itself, not for a wildcard', async (q) => {
    expect(await find(q)).toEqual([]);
  });

  it('filters by status, e-mail address and role', async () => {
    expect((await list('email=list-3@list.test')).data).toHaveLength(1);
    expect((await list('status=suspended')).data).toEqual([]);
    expect(await all(`roleId=${cast.tenant.roles.viewer}`)).toHaveLength(COUNT + 1);
  });

  it('gives the fields that are asked for', async () => {
    const { data } = await list('fields=name&limit=3');
    for (const user of data) expect(Object.keys(user).sort()).toEqual(['id', 'name']);
  });

  it('loads related rows with as many statements for 50 as for one', async () => {
    const query = jest.spyOn(pg.Client.prototype, 'query'); // looks on; every statement still runs
    const statements = async (limit: number): Promise<number> => {
      query.mockClear();
      const { data } = await list(`include=roles&limit=${limit}`);
      expect(data.filter(({ roles }) => roles)).toHaveLength(limit);
      return query.mock.calls.length;
    };
    const forOne = await statements(1);
    expect(forOne).toBeGreaterThan(0);
    expect(await statements(50)).toBe(forOne);
    query.mockRestore();
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=1e9',
    'limit=x',
    'sort=password',
    'fields=passwordHash',
    'include=tenant',
    'cursor=x',
    'status=gone',
    'filter=1',
  ])('refuses %s', async (query) => {
    const { body } = await cast.admin.get(`${users()}?${query}`);
    expect(body).toMatchObject({
      status: 422,
      errors: expect.arrayContaining([
        { pointer: expect.stringMatching(/^\/query\//), code: expect.any(String), message: expect.any(String) },
      ]) as unknown,
    });
  });
});

describe('what a role may not read', () => {
  it('is absent, and can be neither sorted by, nor filtered, nor searched', async () => {
    const roleId = await newRole(app, cast.tenant, [
      { subject: 'User', action: 'read', fields: ['id', 'name', 'createdAt'] },
    ]);
    const clerk = await newUser(app, cast.tenant, { roles: [roleId] });
    const get = async (query: string) => (await clerk.get<UsersPage>(`${users()}?${query}`).expect(200)).body.data;
    for (const user of await get('limit=5')) expect(Object.keys(user).sort()).toEqual(['createdAt', 'id', 'name']);
    expect((await get('fields=id,email,name&limit=1')).map((user) => Object.keys(user).sort())).toEqual([
      ['id', 'name'],
    ]);
    for (const query of ['sort=email', 'email=list-1@list.test', 'q=list-1', 'status=active', `roleId=${roleId}`])
      expect(await get(query)).toEqual([]);
    const { body } = await clerk.get<User>(`${users()}/${cast.viewer.id}`).expect(200);
    expect(Object.keys(body).sort()).toEqual(['createdAt', 'id', 'name']);
  });

  it('depends on the row where the permission does', async () => {
    const roleId = await newRole(app, cast.tenant, [
      { subject: 'User', action: 'read', fields: ['id', 'name'] },
      { subject: 'User', action: 'read', fields: ['email'], conditions: { id: '$me' } },
    ]);
    const clerk = await newUser(app, cast.tenant, { roles: [roleId] });
    const { data } = (await clerk.get<UsersPage>(`${users()}?limit=100`).expect(200)).body;
    expect(data.filter(({ email }) => email !== undefined).map(({ id }) => id)).toEqual([clerk.id]);
    const sorted = (await clerk.get<UsersPage>(`${users()}?sort=email`).expect(200)).body;
    expect(sorted.data.map(({ id }) => id)).toEqual([clerk.id]);
  });

  it('takes as many values as a role can hold', async () => {
    const values = Array.from({ length: 100 }, (_, count) => `nobody-${count}@list.test`);
    const rules = Array.from({ length: 40 }, () => ({
      subject: 'User' as const,
      action: 'read' as const,
      conditions: { email: { in: values } },
    }));
    const roleIds = [];
    for (let count = 0; count < 3; count += 1) roleIds.push(await newRole(app, cast.tenant, rules));
    const mine = await newRole(app, cast.tenant, [
      { subject: 'User', action: 'read', conditions: { id: '$me' } },
      { subject: 'Role', action: 'read' },
    ]);
    const clerk = await newUser(app, cast.tenant, { roles: [...roleIds, mine] });
    const { email } = (await clerk.get<User>(`${users()}/${clerk.id}`).expect(200)).body;
    for (const query of ['sort=name', 'include=roles', `email=${email}`, `q=${email}`, `roleId=${mine}&q=${email}`]) {
      const { data } = (await clerk.get<UsersPage>(`${users()}?${query}`).expect(200)).body;
      expect(data.map(({ id }) => id)).toEqual([clerk.id]);
    }
  });

  it('leaves out the rows that a prohibition means, whichever role gives the permission', async () => {
    const noOwner = await newRole(app, cast.tenant, [
      { subject: 'User', action: 'read', inverted: true, conditions: { id: cast.owner.id } },
    ]);
    const clerk = await newUser(app, cast.tenant, { roles: ['viewer', noOwner] });
    await clerk.get(`${users()}/${cast.owner.id}`).expectProblem(404, 'not_found');
    await clerk.get(`${users()}/${cast.viewer.id}`).expect(200);
    const { data } = (await clerk.get<UsersPage>(`${users()}?limit=100`).expect(200)).body;
    expect(data.map(({ id }) => id)).not.toContain(cast.owner.id);
  });
});
