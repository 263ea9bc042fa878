import { newId } from '../../src/common/id';
import { orderOf } from '../../src/common/keyset';
import { USER_SORTS } from '../../src/users/user.dto';
import { usersStatement, userStatement, userWithRolesStatement } from '../../src/users/user-statements.repository';
import { newDatabase, type TestDatabase } from '../support/postgres';

/** So many that no plan but the right one is cheap. */
const USERS = 20_000;

interface Node {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Cond'?: string;
  Plans?: Node[];
}

let database: TestDatabase;
const tenantId = newId();
const userId = newId();

beforeAll(async () => {
  database = await newDatabase();
  await database.inTransaction('admin', undefined, async (admin) => {
    await admin.query('SET LOCAL session_replication_role = replica'); // no accounts are needed here
    for (const [tenant, slug] of [
      [tenantId, 'large'],
      [newId(), 'other'],
    ]) {
      await admin.query('INSERT INTO app.tenants (id, slug, name, name_key) VALUES ($1, $2, $2, $2)', [tenant, slug]);
      await admin.query(
        `INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key, status, created_at)
         SELECT $1, gen_random_uuid(), gen_random_uuid(), n || '@' || $2 || '.example', 'User ' || n, 'user ' || n,
           CASE WHEN n % 10 = 0 THEN 'suspended' ELSE 'active' END, now() - n * interval '1 minute'
         FROM generate_series(1, $3::int) n`,
        [tenant, slug, USERS],
      );
    }
    await admin.query('COMMIT; BEGIN'); // inTransaction() rolls back
  });
  await database.query('admin', 'ANALYZE app.memberships');
}, 60_000);
afterAll(() => database.drop());

/** The nodes of the plan that the app login gets. */
async function planOf(sql: { text: string; values: unknown[] }): Promise<Node[]> {
  return database.inTransaction('app', tenantId, async (app) => {
    const { rows } = await app.query<{ 'QUERY PLAN': [{ Plan: Node }] }>({
      text: `EXPLAIN (FORMAT JSON) ${sql.text}`,
      values: sql.values,
    });
    const all = (node: Node): Node[] => [node, ...(node.Plans ?? []).flatMap(all)];
    return all(rows[0]!['QUERY PLAN'][0].Plan);
  });
}

/** What reads memberships, and what the index is asked. */
const scansIn = (nodes: Node[]): string[] =>
  nodes
    .filter((node) => node['Relation Name'] === 'memberships')
    .map((node) => `${node['Node Type']} ${node['Index Cond'] ?? ''}`);
const sorts = (nodes: Node[]): number => nodes.filter((node) => node['Node Type'] === 'Sort').length;

const cursorOf = (field: string, value: string): string =>
  Buffer.from(JSON.stringify([field, value, userId])).toString('base64url');
const CURSORS: Record<string, string> = {
  createdAt: cursorOf('createdAt', '2026-11-23T10:00:00.000Z'),
  name: cursorOf('name', 'user 5'),
  email: cursorOf('email', '5@large.example'),
};

describe(`the plans of users' statements in a tenant of ${USERS}`, () => {
  it('find one user by the whole primary key', async () => {
    for (const statement of [userStatement(tenantId, userId), userWithRolesStatement(tenantId, userId, new Date())]) {
      expect(scansIn(await planOf(statement))).toEqual([expect.stringMatching(/^Index Scan .*tenant_id = .*id = /)]);
    }
  });

  describe.each(Object.keys(USER_SORTS).flatMap((field) => [field, `-${field}`]))('sorted by %s', (sort) => {
    const order = orderOf(USER_SORTS, sort);
    const statement = (filter: { cursor?: string; email?: string; status?: 'active' | 'suspended' }) =>
      usersStatement(tenantId, { sort, limit: 20, ...filter }, order)!;

    it('reads the first page along an index, without sorting', async () => {
      const nodes = await planOf(statement({}));
      expect(scansIn(nodes)).toEqual([expect.stringMatching(/^Index (Only )?Scan .*tenant_id = /)]);
      expect(sorts(nodes)).toBe(0);
    });

    it('reads any other page from its place in that index', async () => {
      const nodes = await planOf(statement({ cursor: CURSORS[order.field]! }));
      expect(scansIn(nodes)).toEqual([
        expect.stringMatching(/^Index (Only )?Scan .*tenant_id = .*(ROW\(|email [<>]= )/),
      ]);
      expect(sorts(nodes)).toBe(0);
    });

    it('finds an e-mail address by its index', async () => {
      const scans = scansIn(await planOf(statement({ email: '7@large.example' })));
      expect(scans).toEqual([expect.stringMatching(/Scan .*tenant_id = .*email = /)]);
    });
  });
});
