import type { Caller } from '../../access/actor';
import type { Unidentified } from '../../audit/audit-log';
import { BusyError, StartupError } from '../../common/errors';
import type { TableDifference } from '../../database/tenant-rows';
import { TenantBusyError } from '../../database/tenant-writer';
import { BackupDamagedError, OutsideCoverageError } from '../engine';

/** `dry-run` changes nothing; `side-by-side` makes a tenant beside the one there is; `in-place` replaces what is there, with an undo. */
export const RESTORE_MODES = ['dry-run', 'side-by-side', 'in-place'] as const;
export type RestoreMode = (typeof RESTORE_MODES)[number];

export const RESTORE_STATUSES = ['running', 'succeeded', 'failed', 'undone'] as const;
export type RestoreStatus = (typeof RESTORE_STATUSES)[number];

/** In their order: a base backup's files, its log, its replay; migrations; the tenant's rows; what differs; the exchange. */
export const RESTORE_STEPS = ['files', 'log', 'replay', 'migrate', 'rows', 'compare', 'write'] as const;
export type RestoreStep = (typeof RESTORE_STEPS)[number];

/** Who wants it. */
export type Requester = Caller | Unidentified;

export interface RestoreRequest {
  tenantId: string;
  tenantSlug: string;
  at: Date;
  mode: RestoreMode;
  /** The slug of the new tenant; of `side-by-side` alone. */
  intoSlug: string | undefined;
  requester: Requester;
}

/** Something that a restore has to do with beside the tenant's own rows. */
export interface RestoreFinding {
  code:
    | 'account_missing'
    | 'account_erased'
    | 'email_taken'
    | 'permission_unknown'
    | 'slug_taken'
    | 'tenant_gone'
    | 'tenant_erased';
  /** It cannot be done as long as this is so. */
  blocks: boolean;
  message: string;
}

export interface RestoreResult {
  difference: TableDifference[];
  findings: RestoreFinding[];
  /** Accounts that were, or would be, brought back. */
  accounts: { id: string; email: string }[];
  intoTenantId: string | undefined;
  /** So long an undo is possible. */
  undoUntil: Date | undefined;
}

/** A restore cannot be done. The message says why and what to do; `code` is stable (docs/backups.md). */
export class TenantRestoreError extends Error {
  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TenantRestoreError';
  }
}

/** What an AbortSignal ends with: of the application, of the command line. */
const INTERRUPTIONS = new Set(['AbortError', 'InterruptedError']);

/** As ops.tenant_restores keeps it. */
export function codeOf(error: unknown): string {
  if (error instanceof TenantRestoreError) return error.code;
  if (error instanceof OutsideCoverageError) return 'outside_coverage';
  if (error instanceof BackupDamagedError) return 'backup_damaged';
  if (error instanceof TenantBusyError) return 'tenant_busy';
  if (error instanceof StartupError) return 'refused';
  if (error instanceof BusyError) return 'busy';
  return INTERRUPTIONS.has((error as Error).name) ? 'interrupted' : 'internal_error';
}
