import type { ClientBase } from 'pg';
import { newId } from '../../src/common/id';
import { GLOBAL_TABLES } from '../../src/database/login-check';
import { type Catalogue, type Query, readCatalogue, type Table, tableOf, tenantColumnOf } from '../support/catalogue';
import { newDatabase, type Row, type TestDatabase } from '../support/postgres';
import { insertOf, Rows } from '../support/rows';
import { parentsOf, TENANT_SCHEMAS, TENANT_TABLES, TENANTS } from '../support/tenant-tables';

type Privilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
const OPERATIONS: Privilege[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

/** What the app login may do with a tenant's table, where that is not everything. */
const LESSER_PRIVILEGES: Record<string, Privilege[]> = { 'audit.events': ['SELECT', 'INSERT'] };
const privilegesOn = (name: string): Privilege[] => LESSER_PRIVILEGES[name] ?? OPERATIONS;

const REFUSED_BY_POLICY = { code: '42501', message: expect.stringContaining('row-level security') as string };
const NOT_GRANTED = { code: '42501', message: expect.stringContaining('permission denied') as string };
const FOREIGN_KEY_VIOLATION = '23503';

let database: TestDatabase;
let catalogue: Catalogue;
let rows: Rows;
/** Two tenants, each with a row in each table. */
const own = { id: newId(), rows: new Map<string, Row>() };
const other = { id: newId(), rows: new Map<string, Row>() };

beforeAll(async () => {
  database = await newDatabase();
  const asAdmin: Query = (sql, parameters) => database.query('admin', sql, parameters);
  catalogue = await readCatalogue(asAdmin);
  rows = new Rows(catalogue, asAdmin);
  own.rows = await rows.fillTenant(own.id);
  other.rows = await rows.fillTenant(other.id);
});
afterAll(() => database.drop());

/** Under the app login, in a transaction of that tenant that is rolled back. */
const asTenant = <Result>(
  tenantId: string | undefined,
  work: (client: ClientBase) => Promise<Result>,
): Promise<Result> => database.inTransaction('app', tenantId, work);

/** The condition that finds exactly this row. */
function keyOf(table: Table, row: Row): { where: string; values: unknown[] } {
  return {
    where: table.primaryKey.map((column, place) => `"${column}" = $${place + 1}`).join(' AND '),
    values: table.primaryKey.map((column) => row[column]),
  };
}

async function insert(client: ClientBase, name: string, row: Row): Promise<number | null> {
  const { sql, values } = insertOf(name, row);
  return (await client.query(sql, values)).rowCount;
}

/** Whose new rows a test inserts or deletes: of the table of tenants itself, a tenant that is not there yet. */
const newOwnerIn = (name: string): string => (name === TENANTS ? newId() : own.id);

describe('the tables of tenants', () => {
  it('are those that schema.prisma declares, in the schemas of tenants', () => {
    const found = [...catalogue.keys()].filter((name) => TENANT_SCHEMAS.includes(name.split('.')[0]!));
    expect(found.filter((name) => !GLOBAL_TABLES.includes(name)).toSorted()).toEqual(TENANT_TABLES);
  });

  it.each(TENANT_TABLES)('%s grants the app login what it needs and no more', async (name) => {
    const [found] = await database.query<{ privileges: string[] }>(
      'admin',
      `SELECT array_agg(privilege ORDER BY privilege) AS privileges
       FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
       WHERE has_table_privilege('tenantry_app', $1, privilege)`,
      [name],
    );
    expect(found?.privileges).toEqual(privilegesOn(name).toSorted());
  });
});

describe.each(TENANT_TABLES)('%s under the app login', (name) => {
  const granted = privilegesOn(name);
  let table: Table;
  let tenantColumn: string;
  beforeAll(() => {
    table = tableOf(catalogue, name);
    tenantColumn = tenantColumnOf(table);
  });

  describe('select', () => {
    it('shows the own rows and no others, whatever the query asks for', async () => {
      const found = await asTenant(own.id, async (client) => (await client.query<Row>(`SELECT * FROM ${name}`)).rows);
      expect(found).toContainEqual(own.rows.get(name));
      expect([...new Set(found.map((row) => row[tenantColumn]))]).toEqual([own.id]);
    });

    it("does not show another tenant's row, even named by its key", async () => {
      const { where, values } = keyOf(table, other.rows.get(name)!);
      const found = await asTenant(own.id, (client) => client.query(`SELECT FROM ${name} WHERE ${where}`, values));
      expect(found.rowCount).toBe(0);
      const seenByItsOwner = await asTenant(other.id, (client) =>
        client.query(`SELECT FROM ${name} WHERE ${where}`, values),
      );
      expect(seenByItsOwner.rowCount).toBe(1);
    });

    it.each([
      ['never set', undefined],
      ['empty', ''],
      ["the platform's", '00000000-0000-0000-0000-000000000000'],
      ['one that does not exist', newId()],
    ])('shows nothing when the tenant is %s', async (_, tenantId) => {
      const found = await asTenant(tenantId, (client) => client.query(`SELECT FROM ${name}`));
      expect(found.rowCount).toBe(0);
    });

    it('fails when the tenant is no UUID', async () => {
      const query = asTenant("' OR true --", (client) => client.query(`SELECT FROM ${name}`));
      await expect(query).rejects.toMatchObject({ code: '22P02' });
    });
  });

  describe('insert', () => {
    it('takes an own row', async () => {
      const owner = newOwnerIn(name);
      const row = await rows.build(name, owner);
      expect(await asTenant(owner, (client) => insert(client, name, row))).toBe(1);
    });

    it.each([
      ['for another tenant', (): string => own.id],
      ['with no tenant set', (): undefined => undefined],
    ])('refuses a row %s', async (_, tenant) => {
      const row = await rows.build(name, name === TENANTS ? newId() : other.id);
      await expect(asTenant(tenant(), (client) => insert(client, name, row))).rejects.toMatchObject(REFUSED_BY_POLICY);
    });

    it("refuses another tenant's row by way of ON CONFLICT, too", async () => {
      const { sql, values } = insertOf(name, other.rows.get(name)!);
      const upsert = `${sql} ON CONFLICT (${table.primaryKey.join(', ')}) DO NOTHING`;
      await expect(asTenant(own.id, (client) => client.query(upsert, values))).rejects.toMatchObject(REFUSED_BY_POLICY);
    });
  });

  if (granted.includes('UPDATE')) {
    describe('update', () => {
      const touch = (client: ClientBase, where = 'true', values: unknown[] = []) =>
        client.query(`UPDATE ${name} SET "${tenantColumn}" = "${tenantColumn}" WHERE ${where}`, values);

      it('changes an own row', async () => {
        const { where, values } = keyOf(table, own.rows.get(name)!);
        expect((await asTenant(own.id, (client) => touch(client, where, values))).rowCount).toBe(1);
      });

      it("does not reach another tenant's row", async () => {
        const { where, values } = keyOf(table, other.rows.get(name)!);
        expect((await asTenant(own.id, (client) => touch(client, where, values))).rowCount).toBe(0);
        expect((await asTenant(own.id, (client) => touch(client, `"${tenantColumn}" <> $1`, [own.id]))).rowCount).toBe(
          0,
        );
      });

      it('changes nothing with no tenant set', async () => {
        expect((await asTenant(undefined, (client) => touch(client))).rowCount).toBe(0);
      });

      it('refuses to move a row to another tenant', async () => {
        const { where, values } = keyOf(table, own.rows.get(name)!);
        const move = `UPDATE ${name} SET "${tenantColumn}" = $${values.length + 1} WHERE ${where}`;
        const moved = asTenant(own.id, (client) => client.query(move, [...values, other.id]));
        await expect(moved).rejects.toMatchObject(REFUSED_BY_POLICY);
      });
    });
  }

  if (granted.includes('DELETE')) {
    describe('delete', () => {
      it('removes an own row', async () => {
        const owner = newOwnerIn(name);
        const { where, values } = keyOf(table, await rows.insert(name, owner));
        const removed = await asTenant(owner, (client) => client.query(`DELETE FROM ${name} WHERE ${where}`, values));
        expect(removed.rowCount).toBe(1);
      });

      it("does not reach another tenant's row", async () => {
        const remove = (condition: string, values: unknown[]) =>
          asTenant(own.id, (client) => client.query(`DELETE FROM ${name} WHERE ${condition}`, values));
        const { where, values } = keyOf(table, other.rows.get(name)!);
        expect((await remove(where, values)).rowCount).toBe(0);
        expect((await remove(`"${tenantColumn}" <> $1`, [own.id])).rowCount).toBe(0);
      });

      it('removes nothing with no tenant set', async () => {
        const removed = await asTenant(undefined, (client) => client.query(`DELETE FROM ${name}`));
        expect(removed.rowCount).toBe(0);
      });
    });
  }

  const refused = [...OPERATIONS.filter((operation) => !granted.includes(operation)), 'TRUNCATE' as const];
  it.each(refused)('refuses %s, of own rows too', async (operation) => {
    const statement = {
      SELECT: `SELECT FROM ${name}`,
      INSERT: `INSERT INTO ${name} DEFAULT VALUES`,
      UPDATE: `UPDATE ${name} SET "${tenantColumn}" = "${tenantColumn}"`,
      DELETE: `DELETE FROM ${name}`,
      TRUNCATE: `TRUNCATE ${name} CASCADE`,
    }[operation];
    await expect(asTenant(own.id, (client) => client.query(statement))).rejects.toMatchObject(NOT_GRANTED);
  });

  const parents = parentsOf(name);
  if (parents.length > 0) {
    describe.each(parents)('its reference to $target', ({ target, columns }) => {
      // Row-level security decides under the app login; the key itself decides even where none holds.
      it.each(['app', 'admin'] as const)("cannot lead to another tenant's row, under the %s login", async (login) => {
        const key = table.foreignKeys.find(
          (found) => found.target === target && columns.every((it) => found.columns.includes(it)),
        )!;
        const insertPointingTo = async (parent: Row): Promise<void> => {
          const row = await rows.build(name, own.id);
          key.columns.forEach((column, place) => {
            if (column !== tenantColumn) row[column] = parent[key.targetColumns[place]!];
          });
          await database.inTransaction(login, own.id, (client) => insert(client, name, row));
        };
        const refusal = { code: FOREIGN_KEY_VIOLATION, constraint: key.name };
        await expect(insertPointingTo(other.rows.get(target)!)).rejects.toMatchObject(refusal);
        // The same as for a row that is nowhere, so nobody learns what exists elsewhere.
        await expect(insertPointingTo(await rows.build(target, own.id))).rejects.toMatchObject(refusal);
        await expect(insertPointingTo(own.rows.get(target)!)).resolves.toBeUndefined();
      });
    });
  }
});
