import { escapeIdentifier, escapeLiteral } from 'pg';
import { AUDIT_EVENTS, TENANTS, type TenantTable } from './tenant-tables';
import type { WriterTx } from './tenant-writer';

/** Rows kept for a restore: `wanted` are those it brings, `replaced` those that were there, `undone` those that an undo has replaced. */
export type RowKind = 'wanted' | 'replaced' | 'undone';

/** How a table differs between then and now. The version counts as no difference: it only says how often a row was changed. */
export interface TableDifference {
  table: string;
  onlyThen: number;
  onlyNow: number;
  changed: number;
  same: number;
}

/** So far do versions of a row jump that was deleted meanwhile: nobody knows how far they had come, and a client may hold one of them. */
const VERSION_GAP = 1_000_000;
const VERSION = 'version';

/** For whoever writes SQL of such a table elsewhere. */
export const escapeName = escapeIdentifier;

/** What a restore replaces: all that a tenant owns, but for the tenant itself and what is append-only. */
export function replacedTables(tables: readonly TenantTable[]): TenantTable[] {
  const replaced = tables.filter(({ name }) => name !== TENANTS && name !== AUDIT_EVENTS);
  // Whoever adds a row locks the tenant's for it; that is what keeps writers out for the time of the exchange.
  const loose = replaced.find(({ references }) => !references.some(({ target }) => target === TENANTS));
  if (loose) throw new Error(`${loose.name} has no foreign key to ${TENANTS}: its rows cannot be replaced safely.`);
  return replaced;
}

/** An SQL expression: the row as an object of texts, which PostgreSQL reads back as the very same values. */
export function rowExpression({ columns }: TenantTable, alias: string): string {
  const names = columns.map(({ name }) => escapeLiteral(name));
  const values = columns.map(({ name }) => `${alias}.${escapeIdentifier(name)}::text`);
  return `jsonb_object(ARRAY[${names.join(', ')}]::text[], ARRAY[${values.join(', ')}]::text[])`;
}

/** An SQL expression: the primary key within the tenant. */
export function keyExpression({ primaryKey, tenantColumn }: TenantTable, alias: string): string {
  const parts = primaryKey.filter((column) => column !== tenantColumn);
  return `jsonb_build_array(${parts.map((column) => `${alias}.${escapeIdentifier(column)}::text`).join(', ')})::text`;
}

/** Keeps rows beside the tables, before anything is locked. */
export async function keepWanted(
  tx: WriterTx,
  restoreId: string,
  table: string,
  rows: readonly { key: string; row: string }[],
): Promise<void> {
  await tx.query(
    `INSERT INTO ops.tenant_restore_rows (restore_id, kind, table_name, row_key, tenant_id, row)
     SELECT $1, 'wanted', $2, r.key, $3, r.row::jsonb FROM unnest($4::text[], $5::text[]) AS r(key, row)`,
    [restoreId, table, tx.tenantId, rows.map(({ key }) => key), rows.map(({ row }) => row)],
  );
}

/** How the tables differ from the wanted rows. */
export async function compareWithWanted(
  tx: WriterTx,
  restoreId: string,
  tables: readonly TenantTable[],
): Promise<TableDifference[]> {
  const differences: TableDifference[] = [];
  for (const table of tables) {
    const tenantColumn = escapeIdentifier(table.tenantColumn);
    const [counts] = await tx.query<Omit<TableDifference, 'table'>>(
      `SELECT count(*) FILTER (WHERE now.key IS NULL)::float8 AS "onlyThen",
         count(*) FILTER (WHERE wanted.row_key IS NULL)::float8 AS "onlyNow",
         count(*) FILTER (WHERE wanted.row - '${VERSION}' <> now.row - '${VERSION}')::float8 AS changed,
         count(*) FILTER (WHERE wanted.row - '${VERSION}' = now.row - '${VERSION}')::float8 AS same
       FROM (SELECT row_key, row FROM ops.tenant_restore_rows
             WHERE restore_id = $1 AND kind = 'wanted' AND table_name = $2 AND tenant_id = $3) wanted
       FULL JOIN (SELECT ${keyExpression(table, 't')} AS key, ${rowExpression(table, 't')} AS row
                  FROM ${table.sqlName} t WHERE t.${tenantColumn} = $3) now ON now.key = wanted.row_key`,
      [restoreId, table.name, tx.tenantId],
    );
    differences.push({ table: table.name, ...counts! });
  }
  return differences;
}

/**
 * Puts the kept rows of `wanted` in the place of the tenant's own, which are kept as `replaced`. Out in the reverse order of the
 * foreign keys and in again in their order, so that PostgreSQL checks every one of them.
 *
 * A row that is as it was keeps its version; any other gets one that no client has seen, or an ETag from before could pass for
 * what it does not mean.
 */
export async function exchangeRows(
  tx: WriterTx,
  restoreId: string,
  tables: readonly TenantTable[],
  kinds: { wanted: RowKind; replaced: RowKind },
): Promise<void> {
  for (const table of tables.toReversed()) {
    await tx.query(
      `WITH gone AS (
         DELETE FROM ${table.sqlName} t WHERE t.${escapeIdentifier(table.tenantColumn)} = $3
         RETURNING ${keyExpression(table, 't')} AS key, ${rowExpression(table, 't')} AS row)
       INSERT INTO ops.tenant_restore_rows (restore_id, kind, table_name, row_key, tenant_id, row)
       SELECT $1, $4, $2, key, $3, row FROM gone`,
      [restoreId, table.name, tx.tenantId, kinds.replaced],
    );
  }
  for (const table of tables) await insertKept(tx, restoreId, table, kinds, VERSION_GAP);
  await tx.query('SET CONSTRAINTS ALL IMMEDIATE');
}

/** Puts the kept rows of a tenant that is new into its tables. */
export async function insertWanted(tx: WriterTx, restoreId: string, tables: readonly TenantTable[]): Promise<void> {
  for (const table of tables) await insertKept(tx, restoreId, table, { wanted: 'wanted', replaced: 'replaced' }, 0);
  await tx.query('SET CONSTRAINTS ALL IMMEDIATE');
}

/**
 * Takes out of the wanted rows those that refer to people who were erased, and those that refer to such rows in turn.
 * @param target the table of people, `schema.table`
 * @returns how many were taken out
 */
export async function leaveOut(
  tx: WriterTx,
  restoreId: string,
  tables: readonly TenantTable[],
  { target, ids }: { target: string; ids: readonly string[] },
): Promise<number> {
  let count = 0;
  const wanted = `restore_id = $1 AND kind = 'wanted' AND table_name = $2 AND tenant_id = $3`;
  for (const table of tables) {
    const parameters: unknown[] = [restoreId, table.name, tx.tenantId];
    const conditions = table.globalReferences
      .filter((reference) => reference.target === target)
      .map(({ columns }) => `row ->> ${escapeLiteral(columns[0]!)} = ANY ($4::text[])`);
    if (conditions.length > 0) parameters.push(ids);
    for (const { columns, target: parent, targetColumns } of table.references.filter((one) => one.target !== TENANTS)) {
      const isSet = columns.map((column) => `row ->> ${escapeLiteral(column)} IS NOT NULL`).join(' AND ');
      const same = columns.map(
        (column, place) =>
          `parent.row ->> ${escapeLiteral(targetColumns[place]!)} = kept.row ->> ${escapeLiteral(column)}`,
      );
      conditions.push(`(${isSet} AND NOT EXISTS (SELECT FROM ops.tenant_restore_rows parent WHERE parent.restore_id = $1
        AND parent.kind = 'wanted' AND parent.table_name = ${escapeLiteral(parent)} AND parent.tenant_id = $3 AND ${same.join(' AND ')}))`);
    }
    if (conditions.length === 0) continue;
    const gone = await tx.query(
      `DELETE FROM ops.tenant_restore_rows kept WHERE ${wanted} AND (${conditions.join(' OR ')}) RETURNING 1`,
      parameters,
    );
    count += gone.length;
  }
  return count;
}

/** How many rows are kept as wanted. */
export async function countWanted(tx: WriterTx, restoreId: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    `SELECT count(*)::float8 AS count FROM ops.tenant_restore_rows WHERE restore_id = $1 AND kind = 'wanted' AND tenant_id = $2`,
    [restoreId, tx.tenantId],
  );
  return row!.count;
}

/** Forgets what was kept for a restore. */
export async function forgetRows(tx: WriterTx, restoreId: string): Promise<void> {
  await tx.query('DELETE FROM ops.tenant_restore_rows WHERE restore_id = $1 AND tenant_id = $2', [
    restoreId,
    tx.tenantId,
  ]);
  await tx.query('UPDATE ops.tenant_restores SET rows_kept = false WHERE id = $1', [restoreId]);
}

async function insertKept(
  tx: WriterTx,
  restoreId: string,
  table: TenantTable,
  kinds: { wanted: RowKind; replaced: RowKind },
  versionGap: number,
): Promise<void> {
  const [sample] = await tx.query<{ keys: string[] }>(
    `SELECT ARRAY(SELECT jsonb_object_keys(row)) AS keys FROM ops.tenant_restore_rows
     WHERE restore_id = $1 AND kind = $2 AND table_name = $3 AND tenant_id = $4 LIMIT 1`,
    [restoreId, kinds.wanted, table.name, tx.tenantId],
  );
  if (!sample) return;
  // A column that a migration has added since gets its default, one that it has dropped is left out.
  const columns = table.columns.filter(({ name }) => sample.keys.includes(name));
  const values = columns.map(({ name, type }) => {
    const value = `(wanted.row ->> ${escapeLiteral(name)})::${type}`;
    if (name !== VERSION) return value;
    return `CASE WHEN was.row IS NULL THEN ${value} + ${versionGap} WHEN was.row = wanted.row THEN ${value}
            ELSE greatest(${value}, (was.row ->> '${VERSION}')::${type}) + 1 END`;
  });
  await tx.query(
    `INSERT INTO ${table.sqlName} (${columns.map(({ name }) => escapeIdentifier(name)).join(', ')})
     SELECT ${values.join(', ')} FROM ops.tenant_restore_rows wanted
     LEFT JOIN ops.tenant_restore_rows was ON was.restore_id = $1 AND was.kind = $5 AND was.table_name = $3
       AND was.row_key = wanted.row_key AND was.tenant_id = $4
     WHERE wanted.restore_id = $1 AND wanted.kind = $2 AND wanted.table_name = $3 AND wanted.tenant_id = $4`,
    [restoreId, kinds.wanted, table.name, tx.tenantId, kinds.replaced],
  );
}
