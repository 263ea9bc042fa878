import type { SqlQuery } from './long-transaction';

/** How many rows of each table were removed, or (of audit.events) stripped of what is personal. */
export type ErasedRows = Record<string, number>;

interface CountRow {
  table_name: string;
  row_count: string;
}

/** Removes all that a tenant owns, its audit trail included. Under the platform login (docs/decisions/0017). */
export async function eraseTenant(query: SqlQuery, tenantId: string): Promise<ErasedRows> {
  return countsOf(await query<CountRow>('SELECT table_name, row_count FROM ops.erase_tenant($1)', [tenantId]));
}

/**
 * Removes people everywhere, and takes out of the audit trail of all tenants what it knows of them. Reads the whole trail.
 * Under the platform login (docs/decisions/0017).
 */
export async function eraseAccounts(query: SqlQuery, accountIds: readonly string[]): Promise<ErasedRows> {
  return countsOf(await query<CountRow>('SELECT table_name, row_count FROM ops.erase_accounts($1)', [accountIds]));
}

/** The tenants that would be left without an owner; who owns them cannot change until the transaction ends. */
export async function tenantsLeftBy(
  query: SqlQuery,
  accountIds: readonly string[],
): Promise<{ id: string; slug: string }[]> {
  return query('SELECT tenant_id AS id, slug FROM ops.tenants_left_by($1) ORDER BY slug', [accountIds]);
}

/** The sum of several. */
export function sumOf(counts: readonly ErasedRows[]): ErasedRows {
  const sum: ErasedRows = {};
  for (const [table, rows] of counts.flatMap((one) => Object.entries(one))) sum[table] = (sum[table] ?? 0) + rows;
  return sum;
}

const countsOf = (rows: readonly CountRow[]): ErasedRows =>
  Object.fromEntries(rows.map(({ table_name, row_count }) => [table_name, Number(row_count)]));
