import { newId } from '../../common/id';
import { sqlState } from '../../database/database-errors';
import { insertLines } from '../../database/tenant-lines';
import { AUDIT_EVENTS, TENANTS, type TenantTable } from '../../database/tenant-tables';
import type { TenantWriter, WriterTx } from '../../database/tenant-writer';
import { recordRestore } from '../tenant-restores/restore-audit';
import { ACCOUNTS, type ArchivedTable, ArchiveRefusedError } from './archive-format';
import { columnsOf, ImportConflictError, type ImportPlan, tableOf } from './import-plan';
import { type ArchivedRow, readRows } from './read-rows';

export interface ImportResult {
  tenantId: string;
  slug: string;
  /** Of each table. */
  rows: Record<string, number>;
  accountsCreated: number;
  /** Since they refer to somebody who was erased here. */
  rowsLeftOut: number;
}

/** integrity_constraint_violation and data_exception (PostgreSQL manual, appendix A). */
const CONTRADICTIONS = /^(23|22)/;
const UNIQUE_VIOLATION = '23505';

/**
 * Imports a tenant in one transaction, under row-level security: no row of another tenant can be touched. Each row is checked again
 * on the way, each foreign key by PostgreSQL. The audit trail stays in the archive: here it would tell of what happened elsewhere.
 * @throws ImportConflictError, ArchiveRefusedError, TenantBusyError: then nothing was changed
 */
export async function importTenant(writer: TenantWriter, plan: ImportPlan): Promise<ImportResult> {
  if (plan.conflicts.length > 0) throw new ImportConflictError(plan.conflicts);
  try {
    return await writer.run(plan.tenantId, (tx) => write(tx, plan));
  } catch (error) {
    const state = sqlState(error as Error) ?? '';
    const { message, constraint } = error as Error & { constraint?: string };
    if (state === UNIQUE_VIOLATION && constraint?.startsWith('tenants_'))
      throw new ImportConflictError([`Another tenant has the slug ${plan.slug}, or this id, by now.`]);
    if (CONTRADICTIONS.test(state)) throw new ArchiveRefusedError(`its rows contradict the schema (${message}).`);
    throw error;
  }
}

async function write(tx: WriterTx, plan: ImportPlan): Promise<ImportResult> {
  const { request, slug, tables, erased } = plan;
  const { file, manifest, sha256 } = request;
  const accounts = await ensureAccounts(tx, plan);
  const leftOut = new LeftOut(erased);
  const rows: Record<string, number> = {};
  await readRows(file, manifest, async (archived, batch) => {
    if (archived.name === ACCOUNTS || archived.name === AUDIT_EVENTS) return;
    const table = tableOf(tables, archived);
    const kept = batch.filter((row) => !leftOut.takes(table, row));
    const replacing = replacements(table, archived, tx.tenantId, slug, accounts.ids);
    await insertLines(
      tx,
      table,
      columnsOf(table, archived),
      kept.map((row) => ({
        // Under a new id, what names the old one (a role's conditions) names the new one.
        line: row.line.replaceAll(manifest.tenant.id, tx.tenantId),
        replaced: JSON.stringify(replacing(row)),
      })),
    );
    rows[table.name] = (rows[table.name] ?? 0) + kept.length;
  });
  await tx.query('SET CONSTRAINTS ALL IMMEDIATE');
  await assertOwned(tx);
  await recordRestore(tx, { type: 'system' }, 'tenant.imported', {
    issuer: manifest.issuer,
    exportedAt: manifest.exportedAt,
    asOf: manifest.asOf,
    sourceTenantId: manifest.tenant.id,
    manifestSha256: sha256,
  });
  return { tenantId: tx.tenantId, slug, rows, accountsCreated: accounts.created, rowsLeftOut: leftOut.count };
}

/** The account of each person's e-mail address, made without a password where there is none. */
async function ensureAccounts(
  { query }: WriterTx,
  { people, erased }: ImportPlan,
): Promise<{ ids: ReadonlyMap<string, string>; created: number }> {
  const gone = new Set(erased);
  const wanted = people.filter(({ id }) => !gone.has(id));
  const found = await query<{ source: string; id: string; created: boolean }>(
    `SELECT p.source, e.user_id::text AS id, e.created
     FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) AS p(source, new_id, email, name)
     CROSS JOIN LATERAL identity.ensure_user(p.new_id, p.email, p.name) AS e`,
    [
      wanted.map(({ id }) => id),
      wanted.map(() => newId()),
      wanted.map(({ email }) => email),
      wanted.map(({ name }) => name),
    ],
  );
  return {
    ids: new Map(found.map(({ source, id }) => [source, id])),
    created: found.filter(({ created }) => created).length,
  };
}

/** What is other here than in the archive: whose the rows are, the slug, and the accounts' ids. */
function replacements(
  table: TenantTable,
  archived: ArchivedTable,
  tenantId: string,
  slug: string,
  accounts: ReadonlyMap<string, string>,
): (row: ArchivedRow) => Record<string, unknown> {
  const has = (name: string): boolean => archived.columns.some((column) => column.name === name);
  const fixed: Record<string, unknown> = { [table.tenantColumn]: tenantId };
  if (table.name === TENANTS) {
    fixed.slug = slug;
    // One that was deleted there is wanted here.
    for (const name of ['deleted_at', 'purge_after']) if (has(name)) fixed[name] = null;
  }
  const people = table.globalReferences.filter(({ target }) => target === ACCOUNTS).flatMap(({ columns }) => columns);
  return ({ values }) => {
    const replaced = { ...fixed };
    for (const column of people)
      if (values[column] !== null) replaced[column] = accounts.get(values[column] as string) ?? null;
    return replaced;
  };
}

/** Rows that refer to people who were erased here, and those that refer to such rows in turn. */
class LeftOut {
  count = 0;
  private readonly erased: ReadonlySet<unknown>;
  private readonly rows = new Map<string, ArchivedRow['values'][]>();

  constructor(erased: readonly string[]) {
    this.erased = new Set(erased);
  }

  /** Parents come before those that refer to them. */
  takes({ name, references, globalReferences }: TenantTable, { values }: ArchivedRow): boolean {
    if (this.erased.size === 0) return false;
    const isTheirs = globalReferences.some(
      ({ target, columns }) => target === ACCOUNTS && this.erased.has(values[columns[0]!]),
    );
    const refersToOne = references.some(({ target, columns, targetColumns }) =>
      this.rows
        .get(target)
        ?.some((parent) => columns.every((column, place) => values[column] === parent[targetColumns[place]!])),
    );
    if (!isTheirs && !refersToOne) return false;
    this.rows.set(name, [...(this.rows.get(name) ?? []), values]);
    this.count += 1;
    return true;
  }
}

/** docs/access-control.md: a tenant keeps an owner. */
async function assertOwned({ query, tenantId }: WriterTx): Promise<void> {
  const [owner] = await query(
    `SELECT 1 AS found FROM app.membership_roles held
     JOIN app.roles r ON r.tenant_id = held.tenant_id AND r.id = held.role_id AND r.system_key = 'owner'
     JOIN app.memberships m ON m.tenant_id = held.tenant_id AND m.id = held.membership_id AND m.status = 'active'
     WHERE held.tenant_id = $1 AND held.expires_at IS NULL LIMIT 1`,
    [tenantId],
  );
  if (!owner) throw new ImportConflictError(['No active person would own the tenant here.']);
}
