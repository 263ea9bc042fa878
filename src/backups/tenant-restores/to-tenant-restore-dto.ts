import type { TenantRestoreDto } from './tenant-restore.dto';
import type { TenantRestoreRow } from './tenant-restores.repository';

export function toTenantRestoreDto(row: TenantRestoreRow, now: Date): TenantRestoreDto {
  const { step, errorCode, finishedAt, undoUntil, undoneAt } = row;
  return {
    id: row.id,
    restoredTenantId: row.tenantId,
    tenant: row.tenantSlug,
    at: row.moment.toISOString(),
    mode: row.mode,
    intoSlug: row.intoSlug,
    intoTenantId: row.intoTenantId,
    status: row.status,
    progress: step === null || finishedAt ? null : { step, done: Number(row.done), total: Number(row.total) },
    difference: row.difference as TenantRestoreDto['difference'],
    findings: row.conflicts as TenantRestoreDto['findings'],
    error: errorCode === null ? null : { code: errorCode, message: row.error ?? '' },
    requestedBy: row.requestedBy,
    createdAt: row.createdAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
    undoUntil: undoUntil && undoUntil > now ? undoUntil.toISOString() : null,
    undoneAt: undoneAt?.toISOString() ?? null,
  };
}
