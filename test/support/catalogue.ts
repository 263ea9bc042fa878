/** What PostgreSQL's catalogue says of a table. */
export interface Table {
  /** `schema.table` */
  name: string;
  /** In their order. */
  primaryKey: string[];
  columns: Column[];
  foreignKeys: ForeignKey[];
}

export interface Column {
  name: string;
  /** `uuid`, `text`, `timestamptz`, `_text` … */
  type: string;
  isNullable: boolean;
  hasDefault: boolean;
  /** The values that a CHECK allows, where it lists them. */
  choices: string[];
}

export interface ForeignKey {
  name: string;
  columns: string[];
  target: string;
  targetColumns: string[];
}

export type Catalogue = ReadonlyMap<string, Table>;

/** Runs one statement and gives its rows. */
export type Query = <Result extends object>(sql: string, parameters?: unknown[]) => Promise<Result[]>;

/** All tables that are neither PostgreSQL's nor Prisma's own. */
export async function readCatalogue(query: Query): Promise<Catalogue> {
  const tables = await query<Table>(`
    SELECT n.nspname || '.' || c.relname AS name,
      coalesce((SELECT json_agg(a.attname ORDER BY k.place) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, place)
        JOIN pg_attribute a ON a.attnum = k.attnum WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid), '[]') AS "primaryKey",
      (SELECT json_agg(json_build_object('name', a.attname, 'type', t.typname, 'isNullable', NOT a.attnotnull,
          'hasDefault', a.atthasdef OR a.attidentity <> '', 'choices', coalesce(ch.choices, '[]')) ORDER BY a.attnum)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN LATERAL (
          SELECT json_agg(choice[1]) AS choices FROM pg_constraint k,
            regexp_matches(pg_get_constraintdef(k.oid), '''([^'']*)''::text', 'g') AS choice
          WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum] AND pg_get_constraintdef(k.oid) LIKE '%ANY (ARRAY[%'
        ) ch ON true
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
      coalesce((SELECT json_agg(json_build_object('name', k.conname, 'target', tn.nspname || '.' || tc.relname,
          'columns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u(attnum, place)
            JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
          'targetColumns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u(attnum, place)
            JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum)) ORDER BY k.conname)
        FROM pg_constraint k JOIN pg_class tc ON tc.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
        WHERE k.conrelid = c.oid AND k.contype = 'f' AND k.conparentid = 0), '[]') AS "foreignKeys"
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY 1`);
  return new Map(tables.map((table) => [table.name, table]));
}

/** @throws Error when there is none of this name */
export function tableOf(catalogue: Catalogue, name: string): Table {
  const table = catalogue.get(name);
  if (!table) throw new Error(`The database has no table ${name}.`);
  return table;
}

/** The column that says whose a row is: `tenant_id`, of the tenants themselves `id`. It begins the primary key. */
export function tenantColumnOf(table: Table): string {
  const [first] = table.primaryKey;
  if (!first) throw new Error(`${table.name} has no primary key.`);
  return first;
}
