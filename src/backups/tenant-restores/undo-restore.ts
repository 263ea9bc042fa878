import { ConflictError, NotFoundError } from '../../common/errors';
import { readTenantTables } from '../../database/tenant-tables';
import {
  compareWithWanted,
  exchangeRows,
  forgetRows,
  replacedTables,
  type TableDifference,
} from '../../database/tenant-rows';
import type { TenantWriter } from '../../database/tenant-writer';
import { recordRestore } from './restore-audit';
import { assertOwned, countsOf, lockTenant } from './restore-tenant';
import type { Requester } from './tenant-restore';

/** What was written in the tenant after the restore would be lost. */
export class WrittenSinceError extends ConflictError {
  constructor(readonly difference: readonly TableDifference[]) {
    super(
      'restore_written_since',
      `The tenant was written to after the restore, and the undo would lose that: ${summaryOf(difference)}.`,
    );
  }
}

/**
 * Takes a restore in place back: what it replaced is there again. Accounts that it brought back stay.
 * @param force though what was written after the restore is lost
 * @returns what that was
 * @throws NotFoundError; ConflictError when it is none that can be undone (any more), or something was written since
 */
export async function undoRestore(
  writer: TenantWriter,
  id: string,
  { requester, force }: { requester: Requester; force: boolean },
): Promise<TableDifference[]> {
  const [known] = await writer.query<{ tenantId: string }>(
    'SELECT tenant_id AS "tenantId" FROM ops.tenant_restores WHERE id = $1',
    [id],
  );
  if (!known) throw new NotFoundError('restore of a tenant');
  const tables = replacedTables(await readTenantTables(writer.query));
  return writer.run(known.tenantId, async (tx) => {
    const [restore] = await tx.query<{ moment: Date }>(
      `SELECT moment FROM ops.tenant_restores
       WHERE id = $1 AND status = 'succeeded' AND mode = 'in-place' AND rows_kept AND undo_until > now() FOR UPDATE`,
      [id],
    );
    if (!restore)
      throw new ConflictError(
        'restore_not_undoable',
        'Only a restore in place can be undone, once and until its undo has expired.',
      );
    await lockTenant(tx);
    const written = await compareWithWanted(tx, id, tables);
    if (!force && written.some(({ onlyThen, onlyNow, changed }) => onlyThen + onlyNow + changed > 0))
      throw new WrittenSinceError(written);
    await exchangeRows(tx, id, tables, { wanted: 'replaced', replaced: 'undone' });
    await assertOwned(tx);
    await recordRestore(tx, requester, 'tenant.restore_undone', {
      restoreId: id,
      moment: restore.moment.toISOString(),
      lost: countsOf(written),
    });
    await tx.query(
      `UPDATE ops.tenant_restores SET status = 'undone', undone_at = clock_timestamp(), undone_by = $2, undo_until = NULL WHERE id = $1`,
      [id, requester.accountId ?? null],
    );
    await forgetRows(tx, id);
    return written;
  });
}

function summaryOf(difference: readonly TableDifference[]): string {
  return difference
    .filter(({ onlyThen, onlyNow, changed }) => onlyThen + onlyNow + changed > 0)
    .map(({ table, onlyThen, onlyNow, changed }) => `${table}: ${onlyNow} new, ${changed} changed, ${onlyThen} removed`)
    .join('; ');
}
