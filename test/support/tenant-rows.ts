import type { TestDatabase } from './postgres';
import { TENANT_TABLES, TENANTS } from './tenant-tables';

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

const tenantColumnOf = (table: string): string => (table === TENANTS ? 'id' : 'tenant_id');

/** Of each row of each tenant-owned table that has an id: whose it is, by its id. */
export async function ownersOfRows(database: TestDatabase): Promise<ReadonlyMap<string, string>> {
  const withId = await database.query<{ name: string }>(
    'admin',
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' WHERE n.nspname || '.' || c.relname = ANY ($1)`,
    [TENANT_TABLES],
  );
  const selects = withId.map(({ name }) => `SELECT id, ${tenantColumnOf(name)} AS owner FROM ${name}`);
  const rows = await database.query<{ id: string; owner: string }>('admin', selects.join(' UNION ALL '));
  return new Map(rows.map(({ id, owner }) => [id, owner]));
}

/** The ids in an answer that are of rows of another tenant than the one that asked. */
export function foreignRowsIn(answer: unknown, tenantId: string, owners: ReadonlyMap<string, string>): string[] {
  const ids = new Set((JSON.stringify(answer) ?? '').match(UUID));
  return [...ids].filter((id) => owners.has(id) && owners.get(id) !== tenantId);
}

/** All that a tenant owns, in one word: it changes when any of its rows does, or one comes or goes. */
export async function fingerprintOf(database: TestDatabase, tenantId: string): Promise<string> {
  const parts = TENANT_TABLES.map(
    (table) =>
      `SELECT md5(string_agg(t::text, '' ORDER BY t::text)) AS part FROM ${table} t WHERE ${tenantColumnOf(table)} = $1`,
  );
  const rows = await database.query<{ part: string | null }>('admin', parts.join(' UNION ALL '), [tenantId]);
  return rows.map(({ part }) => part ?? 'none').join(' ');
}
