import { escapeIdentifier } from 'pg';
import { GLOBAL_TABLES } from './login-check';

/** Runs one statement and gives its rows; any login that may read the catalogue can ask. */
export type CatalogueQuery = <Row extends object>(sql: string, parameters: unknown[]) => Promise<Row[]>;

export interface TableColumn {
  name: string;
  /** As SQL writes it: `uuid`, `timestamp(3) with time zone`, `text[]` … */
  type: string;
}

export interface TableReference {
  name: string;
  columns: string[];
  /** `schema.table` */
  target: string;
  targetColumns: string[];
}

/** A table whose rows belong to tenants. */
export interface TenantTable {
  /** `schema.table` */
  name: string;
  /** The same, quoted for SQL. */
  sqlName: string;
  /** Says whose a row is: `tenant_id`, of the tenants themselves `id`. It begins the primary key. */
  tenantColumn: string;
  /** In their order. */
  primaryKey: string[];
  /** Without generated ones: what an INSERT may name. */
  columns: TableColumn[];
  /** To other tables of tenants. */
  references: TableReference[];
  /** To tables that stand above tenants (identity.users, app.permissions). */
  globalReferences: TableReference[];
}

export const TENANTS = 'app.tenants';
/** Append-only: no restore takes back what was recorded. */
export const AUDIT_EVENTS = 'audit.events';

/** Every table that tenants own lies in these. */
const TENANT_SCHEMAS = ['app', 'audit'];

const CATALOGUE_SQL = `
  SELECT n.nspname AS schema, c.relname AS table,
    (SELECT json_agg(a.attname ORDER BY k.place) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, place)
      JOIN pg_attribute a ON a.attnum = k.attnum WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid) AS "primaryKey",
    (SELECT json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns,
    coalesce((SELECT json_agg(json_build_object('name', k.conname, 'target', tn.nspname || '.' || tc.relname,
        'columns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, place)
          JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
        'targetColumns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, place)
          JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum)) ORDER BY k.conname)
      FROM pg_constraint k JOIN pg_class tc ON tc.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
      WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0), '[]') AS references
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = ANY ($1) AND n.nspname || '.' || c.relname <> ALL ($2)
  ORDER BY 1, 2`;

interface CatalogueRow extends Pick<TenantTable, 'primaryKey' | 'columns' | 'references'> {
  schema: string;
  table: string;
}

/**
 * The tables that tenants own, from the catalogue of a database: what others refer to first, so that rows go in in this order
 * and out in the reverse one with every foreign key checked by PostgreSQL itself.
 * @throws Error when tables refer to each other in a circle, or one has no primary key
 */
export async function readTenantTables(query: CatalogueQuery): Promise<TenantTable[]> {
  const rows = await query<CatalogueRow>(CATALOGUE_SQL, [TENANT_SCHEMAS, GLOBAL_TABLES]);
  const names = new Set(rows.map(({ schema, table }) => `${schema}.${table}`));
  return inOrder(
    rows.map(({ schema, table, primaryKey, columns, references }) => {
      const [tenantColumn] = primaryKey ?? [];
      if (tenantColumn === undefined) throw new Error(`${schema}.${table} has no primary key.`);
      return {
        name: `${schema}.${table}`,
        sqlName: `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`,
        tenantColumn,
        primaryKey,
        columns,
        references: references.filter(({ target }) => names.has(target)),
        globalReferences: references.filter(({ target }) => !names.has(target)),
      };
    }),
  );
}

function inOrder(tables: TenantTable[]): TenantTable[] {
  const ordered: TenantTable[] = [];
  let waiting = tables;
  while (waiting.length > 0) {
    const names = new Set(waiting.map(({ name }) => name));
    const isReady = ({ name, references }: TenantTable): boolean =>
      references.every(({ target }) => target === name || !names.has(target));
    const ready = waiting.filter(isReady);
    if (ready.length === 0) throw new Error(`These tables refer to each other in a circle: ${[...names].join(', ')}.`);
    ordered.push(...ready);
    waiting = waiting.filter((table) => !ready.includes(table));
  }
  return ordered;
}
