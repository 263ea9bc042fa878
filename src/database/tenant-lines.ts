import { escapeIdentifier } from 'pg';
import type { TableColumn, TenantTable } from './tenant-tables';
import type { WriterTx } from './tenant-writer';

/** The rows of a tenant ($1) as lines of JSON, `line`, each with every column that is not generated, in the order of the key. */
export function selectLines({ sqlName, tenantColumn, columns, primaryKey }: TenantTable): string {
  const names = columns.map(({ name }) => `t.${escapeIdentifier(name)}`).join(', ');
  const key = primaryKey.map((name) => `t.${escapeIdentifier(name)}`).join(', ');
  return `SELECT row_to_json(r)::text AS line FROM (
    SELECT ${names} FROM ${sqlName} t WHERE t.${escapeIdentifier(tenantColumn)} = $1 ORDER BY ${key}) AS r`;
}

/**
 * Inserts rows that are lines of JSON. Values never pass through JavaScript, which would spoil large numbers.
 * @param rows a line, and what replaces values of it (a JSON object)
 * @param columns those that the lines have; the others get their defaults
 */
export async function insertLines(
  { query }: WriterTx,
  { sqlName }: TenantTable,
  columns: readonly TableColumn[],
  rows: readonly { line: string; replaced: string }[],
): Promise<void> {
  const names = columns.map(({ name }) => escapeIdentifier(name)).join(', ');
  const typed = columns.map(({ name, type }) => `${escapeIdentifier(name)} ${type}`).join(', ');
  await query(
    `INSERT INTO ${sqlName} (${names})
     SELECT ${columns.map(({ name }) => `x.${escapeIdentifier(name)}`).join(', ')}
     FROM unnest($1::text[], $2::text[]) AS r(line, replaced),
       jsonb_to_record(r.line::jsonb || r.replaced::jsonb) AS x(${typed})`,
    [rows.map(({ line }) => line), rows.map(({ replaced }) => replaced)],
  );
}
