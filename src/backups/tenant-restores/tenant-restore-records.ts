import { newId, PLATFORM_TENANT_ID } from '../../common/id';
import { ConflictError } from '../../common/errors';
import type { BackupSession } from '../../database/backup-session';
import type { TenantWriter } from '../../database/tenant-writer';
import { INSTANCE } from '../backup-job';
import { recordRequest } from './restore-audit';
import {
  codeOf,
  type RestoreMode,
  type RestoreRequest,
  type RestoreResult,
  type RestoreStatus,
} from './tenant-restore';

/** Whoever works on a restore holds this lock with its id: when it is free, nobody does. */
const LOCK = 'tenantry:tenant-restore:';
const UNIQUE_VIOLATION = '23505';

/** One restore, as the database keeps it. */
export interface RestoreRecord {
  id: string;
  tenantId: string;
  tenantSlug: string;
  at: Date;
  mode: RestoreMode;
  intoSlug: string | null;
  intoTenantId: string | null;
  status: RestoreStatus;
  createdAt: Date;
  finishedAt: Date | null;
  errorCode: string | null;
  error: string | null;
  undoUntil: Date | null;
}

const COLUMNS = `id, tenant_id AS "tenantId", tenant_slug AS "tenantSlug", moment AS at, mode, into_slug AS "intoSlug",
  into_tenant_id AS "intoTenantId", status, created_at AS "createdAt", finished_at AS "finishedAt", error_code AS "errorCode", error,
  undo_until AS "undoUntil"`;

/** ops.tenant_restores, under the backup login. */
export class TenantRestoreRecords {
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly session: BackupSession) {}

  /** The id of a live tenant, by its slug or its id; undefined: there is none of this slug. An id may be that of one which has gone. */
  async tenantIdOf(slug: string): Promise<string | undefined> {
    const [row] = await this.ask<{ id: string | null }>('SELECT ops.tenant_of_slug($1) AS id', [slug]);
    return row?.id ?? undefined;
  }

  /**
   * Notes that a restore begins, and in the platform's audit trail who asked for it; this session holds its lock from now on.
   * @throws ConflictError when one of this tenant is under way
   */
  async begin(
    request: RestoreRequest,
    writer: TenantWriter,
  ): Promise<{ id: string; intoTenantId: string | undefined }> {
    const { tenantId, tenantSlug, at, mode, intoSlug, requester } = request;
    const id = newId();
    const intoTenantId = mode === 'side-by-side' ? newId() : undefined;
    await this.closeLost();
    await this.session.tryLock(`${LOCK}${id}`);
    const { accountId } = requester;
    try {
      await writer.run(PLATFORM_TENANT_ID, async (tx) => {
        await tx.query(
          `INSERT INTO ops.tenant_restores (id, tenant_id, tenant_slug, moment, mode, into_slug, into_tenant_id, status, requested_by, instance)
           VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9)`,
          [id, tenantId, tenantSlug, at, mode, intoSlug ?? null, intoTenantId ?? null, accountId ?? null, INSTANCE],
        );
        await recordRequest(tx, request, id);
      });
    } catch (error) {
      if ((error as { code?: string }).code !== UNIQUE_VIOLATION) throw error;
      throw new ConflictError('tenant_restore_running', 'A restore of this tenant is under way. Wait for its end.');
    }
    return { id, intoTenantId };
  }

  async progress(id: string, step: string, done: number, total: number): Promise<void> {
    await this.ask('UPDATE ops.tenant_restores SET step = $2, done = $3, total = $4 WHERE id = $1', [
      id,
      step,
      Math.round(done),
      Math.round(total),
    ]);
  }

  /** What was found out; kept when the restore itself fails, too. */
  async found(id: string, { difference, findings }: Pick<RestoreResult, 'difference' | 'findings'>): Promise<void> {
    await this.ask('UPDATE ops.tenant_restores SET difference = $2, conflicts = $3 WHERE id = $1', [
      id,
      JSON.stringify(difference),
      JSON.stringify(findings),
    ]);
  }

  async succeed(id: string): Promise<void> {
    await this.ask(
      `UPDATE ops.tenant_restores SET status = 'succeeded', step = NULL, finished_at = clock_timestamp() WHERE id = $1`,
      [id],
    );
  }

  /** @param reason fit to be shown */
  async fail(id: string, error: unknown, reason: string): Promise<void> {
    await this.ask(
      `UPDATE ops.tenant_restores SET status = 'failed', finished_at = clock_timestamp(), error_code = $2, error = $3
       WHERE id = $1 AND status = 'running'`,
      [id, codeOf(error), reason],
    );
  }

  /** Closes, as failed, the restores whose process is gone: nobody holds their lock. @returns how many */
  async closeLost(): Promise<number> {
    const closed = await this.ask(
      `UPDATE ops.tenant_restores SET status = 'failed', finished_at = clock_timestamp(), error_code = 'interrupted',
         error = 'The process that made it ended.'
       WHERE status = 'running' AND pg_try_advisory_xact_lock(hashtextextended($1 || id::text, 0)) RETURNING id`,
      [LOCK],
    );
    return closed.length;
  }

  async find(id: string): Promise<RestoreRecord | undefined> {
    const [row] = await this.ask<RestoreRecord>(`SELECT ${COLUMNS} FROM ops.tenant_restores WHERE id = $1`, [id]);
    return row;
  }

  /** Of one tenant, the newest first. */
  list(tenantId: string, limit: number): Promise<RestoreRecord[]> {
    return this.ask<RestoreRecord>(
      `SELECT ${COLUMNS} FROM ops.tenant_restores WHERE tenant_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2`,
      [tenantId, limit],
    );
  }

  /** Of whom rows are kept that nobody will ask for: the restore has ended, and its undo is not possible, or not any more. */
  superfluous(limit: number): Promise<{ id: string; tenantId: string }[]> {
    return this.ask(
      `SELECT id, coalesce(into_tenant_id, tenant_id) AS "tenantId" FROM ops.tenant_restores
       WHERE rows_kept AND status <> 'running' AND (undo_until IS NULL OR undo_until <= now()) ORDER BY created_at LIMIT $1`,
      [limit],
    );
  }

  /** One after the other: progress is told without waiting for it to be noted. */
  private ask<Row extends object>(...query: Parameters<BackupSession['query']>): Promise<Row[]> {
    const answer = this.last.then(() => this.session.query<Row>(...query));
    this.last = answer.catch(() => undefined);
    return answer;
  }
}
