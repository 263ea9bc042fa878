import { readTenantTables, type TenantTable } from '../../database/tenant-tables';
import type { TenantReader } from '../../database/tenant-reader';
import {
  compareWithWanted,
  countWanted,
  exchangeRows,
  forgetRows,
  insertWanted,
  keepWanted,
  leaveOut,
  replacedTables,
  type TableDifference,
} from '../../database/tenant-rows';
import type { TenantWriter, WriterTx } from '../../database/tenant-writer';
import { recordRestore } from './restore-audit';
import { ACCOUNTS, findGlobalRows, type GlobalRows } from './restore-findings';
import {
  type RestoreFinding,
  type RestoreRequest,
  type RestoreResult,
  type RestoreStep,
  TenantRestoreError,
} from './tenant-restore';
import type { TenantRestoreRecords } from './tenant-restore-records';
import { type SourceOptions, withTenantSource } from './tenant-source';

export interface RestoreOptions extends Pick<SourceOptions, 'env' | 'engine' | 'database' | 'signal'> {
  id: string;
  intoTenantId: string | undefined;
  request: RestoreRequest;
  writer: TenantWriter;
  records: TenantRestoreRecords;
  /** For an undo. */
  undoDays: number;
  onProgress: (step: RestoreStep, done: number, total: number) => void;
  /** Sees what differs before anything is changed; what it throws ends the restore. */
  confirm?: ((result: RestoreResult) => Promise<void>) | undefined;
}

/** What is known once the rows of then are kept beside the tables. */
interface Prepared extends GlobalRows {
  /** Whose tables they go into: the new tenant's, or its own. */
  targetId: string;
  tables: TenantTable[];
  kept: number;
  tenant: { name: string; nameKey: string };
}

/**
 * Restores one tenant to a moment, while all others go on: brings the moment back in a scratch cluster, keeps the tenant's rows of
 * then beside the tables, compares, and (unless dry) exchanges them in one transaction under row-level security.
 *
 * For the time of that transaction writes in this tenant wait; nobody else's do. The tenant's own row, its audit trail, and what
 * stands above tenants stay as they are.
 * @throws TenantRestoreError saying what is in the way; OutsideCoverageError; TenantBusyError
 */
export async function restoreTenant(options: RestoreOptions): Promise<RestoreResult> {
  const { request, onProgress, id, records, signal } = options;
  const { tenantId, mode } = request;
  const { env, engine, database } = options;
  const source = { env, engine, database, signal, at: request.at, tenantId, onProgress };
  const prepared = await withTenantSource(source, (reader) => prepare(options, reader));
  signal.throwIfAborted();
  onProgress('compare', 0, 1);
  const result = await compare(options, prepared);
  await records.found(id, result);
  const blocking = result.findings.filter(({ blocks }) => blocks);
  if (mode === 'dry-run') {
    await options.writer.run(tenantId, (tx) => forgetRows(tx, id));
    await records.succeed(id);
    return result;
  }
  const [first] = blocking;
  if (first) throw new TenantRestoreError(first.code, blocking.map(({ message }) => message).join('\n'));
  await options.confirm?.(result);
  signal.throwIfAborted();
  onProgress('write', 0, 1);
  return mode === 'in-place' ? replaceInPlace(options, prepared, result) : putBeside(options, prepared, result);
}

async function prepare(options: RestoreOptions, reader: TenantReader): Promise<Prepared> {
  const { request, writer, id, intoTenantId, signal, onProgress } = options;
  const { tenantId } = request;
  const [tenant] = await reader.query<Prepared['tenant']>(
    'SELECT name, name_key AS "nameKey" FROM app.tenants WHERE id = $1',
    [tenantId],
  );
  if (!tenant)
    throw new TenantRestoreError('tenant_not_there', `There was no such tenant at ${request.at.toISOString()}.`);
  const tables = replacedTables(await readTenantTables(writer.query));
  assertSameColumns(tables, replacedTables(await reader.tables()));
  const global = await findGlobalRows(reader, writer, tables, tenantId);
  const targetId = intoTenantId ?? tenantId;
  let kept = 0;
  for (const [place, table] of tables.entries()) {
    onProgress('rows', place, tables.length);
    for await (const batch of reader.rows(table, tenantId)) {
      signal.throwIfAborted();
      // A new tenant has a new id wherever the old one stands, in a role's conditions, too.
      const rows = batch.map(({ key, row }) => ({ key, row: row.replaceAll(tenantId, targetId) }));
      await writer.run(targetId, (tx) => keepWanted(tx, id, table.name, rows));
      kept += rows.length;
    }
  }
  if (global.erased.length > 0)
    kept -= await writer.run(targetId, (tx) => leaveOut(tx, id, tables, { target: ACCOUNTS, ids: global.erased }));
  onProgress('rows', tables.length, tables.length);
  return { ...global, targetId, tables, kept, tenant };
}

/** After its migrations a schema of then is today's; if it is not, somebody has changed one of them by hand. */
function assertSameColumns(now: readonly TenantTable[], then: readonly TenantTable[]): void {
  const shapeOf = (tables: readonly TenantTable[]): string =>
    tables
      .map(
        ({ name, columns }) =>
          `${name}(${columns
            .map((column) => `${column.name} ${column.type}`)
            .toSorted()
            .join(', ')})`,
      )
      .toSorted()
      .join('\n');
  if (shapeOf(now) !== shapeOf(then))
    throw new TenantRestoreError(
      'schema_differs',
      "The tables of then are not today's, migrations applied. Restore the whole cluster beside this one and look.",
    );
}

async function compare(
  { writer, request, id, intoTenantId }: RestoreOptions,
  { tables, findings, missing, targetId }: Prepared,
): Promise<RestoreResult> {
  const difference = await writer.run(targetId, (tx) => compareWithWanted(tx, id, tables));
  return {
    difference,
    findings: [...findings, ...(await findTenant(writer, request))],
    accounts: missing.map((account) => ({ id: account.id, email: account.email })),
    intoTenantId,
    undoUntil: undefined,
  };
}

async function findTenant(
  writer: TenantWriter,
  { tenantId, mode, intoSlug }: RestoreRequest,
): Promise<RestoreFinding[]> {
  const [state] = await writer.query<{ erased: boolean; slugTaken: boolean }>(
    'SELECT ops.is_tenant_erased($1) AS erased, ops.tenant_of_slug($2) IS NOT NULL AS "slugTaken"',
    [tenantId, intoSlug ?? null],
  );
  const isThere = await writer.run(tenantId, async ({ query }) => (await query('SELECT FROM app.tenants')).length > 0);
  const findings: RestoreFinding[] = [];
  if (state!.erased)
    findings.push({ code: 'tenant_erased', blocks: true, message: 'This tenant was erased, for good.' });
  else if (!isThere)
    findings.push({
      code: 'tenant_gone',
      blocks: mode === 'in-place',
      message: 'This tenant is purged. It can be restored beside (--into a slug), not in place.',
    });
  if (state!.slugTaken)
    findings.push({ code: 'slug_taken', blocks: true, message: `Another tenant has the slug ${intoSlug}.` });
  return findings;
}

async function replaceInPlace(
  { writer, id, request, undoDays }: RestoreOptions,
  prepared: Prepared,
  result: RestoreResult,
): Promise<RestoreResult> {
  const { tables } = prepared;
  return writer.run(request.tenantId, async (tx) => {
    await lockTenant(tx);
    await assertAllKept(tx, id, prepared);
    const difference = await compareWithWanted(tx, id, tables); // with nobody writing any more
    await bringBack(tx, prepared);
    await exchangeRows(tx, id, tables, { wanted: 'wanted', replaced: 'replaced' });
    await assertOwned(tx);
    await recordRestore(tx, request.requester, 'tenant.data_restored', eventOf(id, request, difference));
    const [row] = await tx.query<{ undoUntil: Date }>(
      `UPDATE ops.tenant_restores SET status = 'succeeded', step = NULL, finished_at = clock_timestamp(), difference = $2, accounts = $3,
         undo_until = clock_timestamp() + make_interval(days => $4) WHERE id = $1 RETURNING undo_until AS "undoUntil"`,
      [id, JSON.stringify(difference), JSON.stringify(result.accounts), undoDays],
    );
    return { ...result, difference, undoUntil: row!.undoUntil };
  });
}

async function putBeside(
  { writer, id, request }: RestoreOptions,
  prepared: Prepared,
  result: RestoreResult,
): Promise<RestoreResult> {
  const { tables, tenant, targetId } = prepared;
  return writer.run(targetId, async (tx) => {
    const made = await tx.query(
      `INSERT INTO app.tenants (id, slug, name, name_key, status) VALUES ($1, $2, $3, $4, 'suspended')
       ON CONFLICT (slug) DO NOTHING RETURNING 1`,
      [targetId, request.intoSlug, tenant.name, tenant.nameKey],
    );
    if (made.length === 0)
      throw new TenantRestoreError('slug_taken', `Another tenant has the slug ${request.intoSlug}.`);
    await assertAllKept(tx, id, prepared);
    await bringBack(tx, prepared);
    await insertWanted(tx, id, tables);
    await recordRestore(tx, request.requester, 'tenant.data_restored', eventOf(id, request, result.difference));
    await forgetRows(tx, id);
    await tx.query(
      `UPDATE ops.tenant_restores SET status = 'succeeded', step = NULL, finished_at = clock_timestamp(), accounts = $2 WHERE id = $1`,
      [id, JSON.stringify(result.accounts)],
    );
    return result;
  });
}

/** Whoever adds a row to the tenant, or changes who owns it, waits from here on, and so do we for those who are at it. */
export async function lockTenant({ query, tenantId }: WriterTx): Promise<void> {
  const found = await query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenantId]);
  if (found.length === 0)
    throw new TenantRestoreError('tenant_gone', 'This tenant is purged. It can be restored beside, not in place.');
}

/** An erasure takes rows of its person out of what is kept: what is left would then be taken for all there was. */
async function assertAllKept(tx: WriterTx, id: string, { kept }: Prepared): Promise<void> {
  if ((await countWanted(tx, id)) !== kept)
    throw new TenantRestoreError('changed_meanwhile', 'A person was erased meanwhile. Begin again.');
}

async function bringBack({ query }: WriterTx, { missing }: Prepared): Promise<void> {
  for (const { id, email, name } of missing)
    await query('SELECT ops.bring_back_account($1, $2, $3)', [id, email, name]);
}

/** The owners of then may have been erased since. */
export async function assertOwned({ query, tenantId }: WriterTx): Promise<void> {
  const owners = await query(
    `SELECT FROM app.membership_roles held
     JOIN app.roles r ON r.tenant_id = held.tenant_id AND r.id = held.role_id AND r.system_key = 'owner'
     JOIN app.memberships m ON m.tenant_id = held.tenant_id AND m.id = held.membership_id AND m.status = 'active'
     WHERE held.tenant_id = $1 AND held.expires_at IS NULL LIMIT 1`,
    [tenantId],
  );
  if (owners.length === 0)
    throw new TenantRestoreError('owner_missing', 'Nobody would own the tenant any more. Restore it side by side.');
}

function eventOf(
  restoreId: string,
  { at, mode, tenantId }: RestoreRequest,
  difference: readonly TableDifference[],
): object {
  return { restoreId, moment: at.toISOString(), mode, ofTenant: tenantId, tables: countsOf(difference) };
}

/** As the audit trail shows it: by table, without what stayed as it was. */
export function countsOf(difference: readonly TableDifference[]): object {
  return Object.fromEntries(
    difference.map(({ table, onlyThen, onlyNow, changed }) => [table, { onlyThen, onlyNow, changed }]),
  );
}
