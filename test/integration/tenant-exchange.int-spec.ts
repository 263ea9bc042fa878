import { newId } from '../../src/common/id';
import { TenantReader } from '../../src/database/tenant-reader';
import {
  compareWithWanted,
  exchangeRows,
  forgetRows,
  keepWanted,
  replacedTables,
} from '../../src/database/tenant-rows';
import { AUDIT_EVENTS, readTenantTables, type TenantTable, TENANTS } from '../../src/database/tenant-tables';
import { TenantBusyError, TenantWriter } from '../../src/database/tenant-writer';
import { type Query, readCatalogue } from '../support/catalogue';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { Rows } from '../support/rows';
import { TENANT_TABLES } from '../support/tenant-tables';

let database: TestDatabase;
let writer: TenantWriter;
let tables: TenantTable[];
let rows: Rows;
beforeAll(async () => {
  database = await newDatabase();
  const query: Query = (sql, parameters) => database.query('admin', sql, parameters);
  rows = new Rows(await readCatalogue(query), query);
  writer = await TenantWriter.connect(database.urls.backup, 'POSTGRES_BACKUP_URL');
  tables = await readTenantTables((sql, parameters) => writer.query(sql, parameters));
});
afterAll(async () => {
  await writer?.end();
  await database?.drop();
});

/** A tenant with a row in each table. */
async function newTenant(): Promise<string> {
  const id = newId();
  await rows.fillTenant(id);
  return id;
}

async function newRestore(tenantId: string): Promise<string> {
  const id = newId();
  await writer.query(
    `INSERT INTO ops.tenant_restores (id, tenant_id, tenant_slug, moment, mode, status, instance)
     VALUES ($1, $2, 'x', now(), 'in-place', 'running', 'test')`,
    [id, tenantId],
  );
  return id;
}

const rowsOf = (tenantId: string, table: string) =>
  database.query('admin', `SELECT * FROM ${table} WHERE tenant_id = $1 ORDER BY 1, 2, 3`, [tenantId]);

/** Every row of a tenant but the audit trail's, and what the writer's own tables hold. */
async function contentOf(tenantId: string): Promise<object> {
  const content: Record<string, unknown> = {};
  for (const name of TENANT_TABLES.filter((table) => ![TENANTS, AUDIT_EVENTS].includes(table)))
    content[name] = await rowsOf(tenantId, name);
  return content;
}

describe('the tables that tenants own, read from the catalogue', () => {
  it('are all there are, what others refer to first', () => {
    expect(tables.map(({ name }) => name).toSorted()).toEqual(TENANT_TABLES);
    const place = (name: string): number => tables.findIndex((table) => table.name === name);
    for (const { name, references } of tables)
      for (const { target } of references) expect(place(target)).toBeLessThan(place(name));
  });

  it('name what stands above tenants', () => {
    expect(tables.flatMap(({ globalReferences }) => globalReferences.map(({ target }) => target)).toSorted()).toEqual([
      'app.permissions',
      'identity.users',
    ]);
  });

  it('leave out generated columns, and a circle is refused', async () => {
    const client = await database.connect('owner');
    try {
      const read = () =>
        readTenantTables(async (sql, parameters) => (await client.query(sql, parameters)).rows as never);
      await client.query('BEGIN');
      await client.query('ALTER TABLE app.roles ADD COLUMN shout text GENERATED ALWAYS AS (upper(name)) STORED');
      const roles = (await read()).find(({ name }) => name === 'app.roles')!;
      expect(roles.columns.map(({ name }) => name)).not.toContain('shout');
      await client.query('ALTER TABLE app.roles ADD COLUMN first_membership_id uuid');
      await client.query(
        'ALTER TABLE app.memberships ADD COLUMN role_id uuid, ADD FOREIGN KEY (tenant_id, role_id) REFERENCES app.roles (tenant_id, id)',
      );
      await client.query(
        'ALTER TABLE app.roles ADD FOREIGN KEY (tenant_id, first_membership_id) REFERENCES app.memberships (tenant_id, id)',
      );
      await expect(read()).rejects.toThrow('refer to each other in a circle: ');
    } finally {
      await client.query('ROLLBACK');
      await client.end();
    }
  });
});

describe('the backup login', () => {
  it.each(TENANT_TABLES)('may write %s where a restore does', async (name) => {
    const needed = name === AUDIT_EVENTS ? ['SELECT', 'INSERT'] : ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];
    const [found] = await database.query<{ privileges: string[] }>(
      'admin',
      `SELECT array_agg(privilege) AS privileges
       FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) privilege
       WHERE has_table_privilege('tenantry_backup', $1, privilege)`,
      [name],
    );
    expect(found!.privileges).toEqual(needed);
  });

  it("reaches no other tenant's row, whatever a statement says", async () => {
    const [own, other] = [await newTenant(), await newTenant()];
    const before = await contentOf(other);
    await writer.run(own, async ({ query }) => {
      for (const { sqlName } of replacedTables(tables).toReversed()) await query(`DELETE FROM ${sqlName}`);
    });
    expect(await contentOf(other)).toEqual(before);
    expect(Object.values(await contentOf(own)).flat()).toEqual([]);
  });

  it('sees nothing while no tenant is set', async () => {
    await newTenant();
    for (const { sqlName } of tables) expect(await writer.query(`SELECT FROM ${sqlName}`)).toEqual([]);
  });

  it("sees what was put aside for the set tenant only; the app login and the platform's see none of it", async () => {
    const [own, other] = [await newTenant(), await newTenant()];
    const id = await newRestore(own);
    await writer.run(own, (tx) => keepWanted(tx, id, 'app.roles', [{ key: '[]', row: '{}' }]));
    const seen = (tenantId: string) =>
      writer.run(tenantId, ({ query }) => query('SELECT FROM ops.tenant_restore_rows WHERE restore_id = $1', [id]));
    expect(await seen(own)).toHaveLength(1);
    expect(await seen(other)).toEqual([]);
    for (const login of ['app', 'platform', 'monitor'] as const)
      await expect(database.query(login, 'SELECT FROM ops.tenant_restore_rows')).rejects.toMatchObject({
        code: '42501',
      });
  });
});

describe('an exchange of rows', () => {
  /** What the tenant has now becomes what a restore wants. */
  async function keepContent(tenantId: string, restoreId: string): Promise<void> {
    const reader = await TenantReader.connect(database.adminUrl, tenantId);
    try {
      for (const table of replacedTables(await reader.tables()))
        for await (const batch of reader.rows(table, tenantId))
          await writer.run(tenantId, (tx) => keepWanted(tx, restoreId, table.name, batch));
    } finally {
      await reader.end();
    }
  }

  const exchange = (tenantId: string, restoreId: string) =>
    writer.run(tenantId, (tx) =>
      exchangeRows(tx, restoreId, replacedTables(tables), { wanted: 'wanted', replaced: 'replaced' }),
    );

  it('leaves what is as it was exactly so, the version included', async () => {
    const tenantId = await newTenant();
    const before = await contentOf(tenantId);
    const id = await newRestore(tenantId);
    await keepContent(tenantId, id);
    await exchange(tenantId, id);
    expect(await contentOf(tenantId)).toEqual(before);
  });

  it('brings back what was changed and what was deleted, under versions that no client has seen, and takes out what is new', async () => {
    const tenantId = await newTenant();
    await database.query('admin', `UPDATE app.roles SET description = $2 WHERE tenant_id = $1`, [
      tenantId,
      'with "quotes", \\ and\nlines, ünïcode 🙂',
    ]);
    const id = await newRestore(tenantId);
    await keepContent(tenantId, id);
    const before = (await contentOf(tenantId)) as Record<string, { id: string; version: number }[]>;
    const [changed, deleted] = before['app.roles']!;
    await database.query('admin', `UPDATE app.roles SET description = 'changed', version = 7 WHERE id = $1`, [
      changed!.id,
    ]);
    await database.query('admin', 'DELETE FROM app.membership_roles WHERE role_id = $1', [deleted!.id]);
    await database.query('admin', 'DELETE FROM app.roles WHERE id = $1', [deleted!.id]);
    const added = await rows.insert('app.roles', tenantId);

    const differences = await writer.run(tenantId, (tx) => compareWithWanted(tx, id, replacedTables(tables)));
    const roles = differences.find(({ table }) => table === 'app.roles')!;
    expect(roles).toMatchObject({ onlyThen: 1, onlyNow: 1, changed: 1 });

    await exchange(tenantId, id);
    const after = (await contentOf(tenantId)) as typeof before;
    expect(after['app.roles']!.map(({ id: found }) => found)).not.toContain(added.id);
    const versionOf = (row: { id: string }) => after['app.roles']!.find((found) => found.id === row.id)!.version;
    expect([versionOf(changed!), versionOf(deleted!)]).toEqual([8, deleted!.version + 1_000_000]);
    const withoutVersions = (content: typeof before) => JSON.stringify(content).replaceAll(/"version":\d+/g, '');
    expect(withoutVersions(after)).toBe(withoutVersions(before));
    const now = await writer.run(tenantId, (tx) => compareWithWanted(tx, id, replacedTables(tables)));
    expect(now.reduce((sum, one) => sum + one.onlyNow + one.onlyThen + one.changed, 0)).toBe(0);
  });

  it('is checked by every foreign key: rows that refer to nothing change nothing', async () => {
    const tenantId = await newTenant();
    const before = await contentOf(tenantId);
    const id = await newRestore(tenantId);
    await keepContent(tenantId, id);
    await writer.run(tenantId, ({ query }) =>
      query(`DELETE FROM ops.tenant_restore_rows WHERE restore_id = $1 AND table_name = 'app.memberships'`, [id]),
    );
    await expect(exchange(tenantId, id)).rejects.toMatchObject({ code: '23503' });
    expect(await contentOf(tenantId)).toEqual(before);
    await writer.run(tenantId, (tx) => forgetRows(tx, id));
  });

  it('gives up, and leaves all as it was, when somebody holds the tenant for long', async () => {
    const tenantId = await newTenant();
    const holder = await database.connect('admin');
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenantId]);
      await expect(
        writer.run(tenantId, async ({ query }) => {
          await query(`SET LOCAL lock_timeout = '50ms'`);
          await query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenantId]);
        }),
      ).rejects.toThrow(TenantBusyError);
    } finally {
      await holder.end();
    }
  });
});
