import { Logger } from '@nestjs/common';
import type { BackupEnv } from '../../config/backup-env';
import type { BackupSession } from '../../database/backup-session';
import { readPostgresUrl } from '../../common/postgres-url';
import { forgetRows } from '../../database/tenant-rows';
import { TenantWriter } from '../../database/tenant-writer';
import { failureOf } from '../backup-job';
import { BACKUP_LOGIN, backupUrlOf, openBackupSession } from '../backup-login';
import { openEngine } from '../open-engine';
import { restoreTenant } from './restore-tenant';
import { tidyUp } from './restore-upkeep';
import type { RestoreRequest, RestoreResult, RestoreStep } from './tenant-restore';
import { TenantRestoreRecords } from './tenant-restore-records';

/** Progress within a step is noted this often, in milliseconds. */
const NOTE_EVERY_MS = 1_000;

const logger = new Logger('TenantRestores');

/** The connections that work on restores needs: one for the records and their locks, one for rows. */
export class RestoreConnections {
  readonly records: TenantRestoreRecords;

  private constructor(
    readonly env: BackupEnv,
    readonly database: string,
    readonly session: BackupSession,
    readonly writer: TenantWriter,
  ) {
    this.records = new TenantRestoreRecords(session);
  }

  /** @throws StartupError when the server cannot be reached */
  static async open(env: BackupEnv): Promise<RestoreConnections> {
    const url = backupUrlOf(env);
    const session = await openBackupSession(env);
    try {
      const database = readPostgresUrl(url)?.database ?? 'tenantry';
      return new RestoreConnections(env, database, session, await TenantWriter.connect(url, BACKUP_LOGIN));
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  /** Removes what killed processes have left, and what has expired. */
  async tidyUp(): Promise<number> {
    return tidyUp(this.env, this.records, this.writer);
  }

  async close(): Promise<void> {
    await Promise.all([this.session.end(), this.writer.end()]);
  }
}

export interface RunOptions {
  onProgress?: (step: RestoreStep, done: number, total: number) => void;
  /** Sees what differs before anything is changed; what it throws ends the restore. */
  confirm?: (result: RestoreResult) => Promise<void>;
  signal: AbortSignal;
}

/** One restore of one tenant, from its record to its end. It owns its connections. */
export class TenantRestoreJob {
  private constructor(
    readonly id: string,
    private readonly intoTenantId: string | undefined,
    private readonly request: RestoreRequest,
    private readonly connections: RestoreConnections,
  ) {}

  /**
   * Notes that the restore begins. Whatever comes of it, run() must follow.
   * @throws ConflictError when one of this tenant is under way
   */
  static async begin(connections: RestoreConnections, request: RestoreRequest): Promise<TenantRestoreJob> {
    const { id, intoTenantId } = await connections.records.begin(request, connections.writer);
    return new TenantRestoreJob(id, intoTenantId, request, connections);
  }

  /** Does it, and closes the connections. How it ended is on record. @throws Error why it failed */
  async run({ onProgress, confirm, signal }: RunOptions): Promise<RestoreResult> {
    const { id, intoTenantId, request, connections } = this;
    const { env, records, writer, session, database } = connections;
    try {
      const engine = openEngine(env);
      return await restoreTenant({
        id,
        intoTenantId,
        request,
        env,
        engine,
        database,
        writer,
        records,
        confirm,
        undoDays: env.tenantUndoDays,
        signal: AbortSignal.any([signal, session.lost]),
        onProgress: this.noting(onProgress),
      });
    } catch (error) {
      await this.fail(error, signal.aborted ? signal.reason : error);
      throw error;
    } finally {
      await connections.close();
    }
  }

  /** What cannot be noted now (the server is gone) the next restore notes. */
  private async fail(error: unknown, reason: unknown): Promise<void> {
    const { id, request, connections, intoTenantId } = this;
    try {
      await connections.records.fail(id, reason, failureOf(error));
      await connections.writer.run(intoTenantId ?? request.tenantId, (tx) => forgetRows(tx, id));
    } catch (failure) {
      logger.warn(`It is not noted how the restore ${id} ended: ${failureOf(failure)}`);
    }
  }

  private noting(onProgress: RunOptions['onProgress']): (step: RestoreStep, done: number, total: number) => void {
    let noted: { step: RestoreStep; at: number } | undefined;
    return (step, done, total) => {
      onProgress?.(step, done, total);
      const now = performance.now();
      if (noted?.step === step && now - noted.at < NOTE_EVERY_MS) return;
      noted = { step, at: now };
      this.connections.records
        .progress(this.id, step, done, total)
        .catch((error: unknown) => logger.warn(`Progress is not noted: ${failureOf(error)}`));
    };
  }
}
