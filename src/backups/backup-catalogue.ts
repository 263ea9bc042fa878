import { newId } from '../common/id';
import type { BackupSession } from '../database/backup-session';
import type { BackupSummary } from './engine';

/** Why a backup was taken: there was none, it was time, it had been time while nothing ran, log was lost, by hand. */
export type RunTrigger = 'first' | 'schedule' | 'catch-up' | 'gap' | 'manual';

export interface NewRun {
  trigger: RunTrigger;
  startedAt: Date;
  engine: string;
  place: string;
  /** The host and process that makes it. */
  instance: string;
}

/** The newest attempt that ended, or stands, in one way. */
export interface Run {
  trigger: RunTrigger;
  startedAt: Date;
  /** null: it runs. */
  finishedAt: Date | null;
  backupId: string | null;
  clusterBytes: number | null;
  storedBytes: number | null;
  error: string | null;
  /** How many there are of its status. */
  total: number;
}

export type RunStatus = 'running' | 'succeeded' | 'failed';

/** What is known of all attempts. */
export interface Runs {
  newest: Partial<Record<RunStatus, Run>>;
  /**
   * Attempts that failed since the newest that succeeded; or since the newest backup in the repository, where that was never noted
   * (a database that was restored to the moment of its backup).
   */
  failuresInARow: number;
}

/** How backups stand; the columns of ops.backup_state (docs/database-schema.md). */
export interface BackupState {
  observedAt: Date;
  instance: string;
  engine: string;
  place: string;
  surveyedAt: Date | null;
  repositoryError: string | null;
  backups: number | null;
  newestBackupId: string | null;
  newestBackupAt: Date | null;
  coverageFrom: Date | null;
  coverageTo: Date | null;
  gap: string | null;
  gapAt: Date | null;
  receiverUp: boolean | null;
  walLagBytes: number | null;
}

/** What a run that was killed is closed with. */
export const INTERRUPTED = 'interrupted: the process that made it ended';

const LOCK = 'tenantry:backup-run:';
const BIGINTS = new Set<string>(['walLagBytes']);

/** Each column of ops.backup_state by its name here. */
const STATE_COLUMNS = {
  observedAt: 'observed_at',
  instance: 'instance',
  engine: 'engine',
  place: 'place',
  surveyedAt: 'surveyed_at',
  repositoryError: 'repository_error',
  backups: 'backups',
  newestBackupId: 'newest_backup_id',
  newestBackupAt: 'newest_backup_at',
  coverageFrom: 'coverage_from',
  coverageTo: 'coverage_to',
  gap: 'gap',
  gapAt: 'gap_at',
  receiverUp: 'receiver_up',
  walLagBytes: 'wal_lag_bytes',
} as const satisfies Record<keyof BackupState, string>;
const STATE_NAMES = Object.keys(STATE_COLUMNS) as (keyof BackupState)[];

/** Runs a statement: a session's, or the monitor's. */
export interface CatalogueReader {
  query<Row extends object>(sql: string): Promise<Row[]>;
}

/** What the database knows of backups: `ops.backup_runs` and `ops.backup_state`, under the backup login. */
export class BackupCatalogue {
  constructor(private readonly session: BackupSession) {}

  /** Notes that a run begins. It holds a lock as long as this session lasts, so that others can tell whether it is alive. */
  async begin({ trigger, startedAt, engine, place, instance }: NewRun): Promise<string> {
    const id = newId();
    await this.session.tryLock(`${LOCK}${id}`);
    await this.session.query(
      `INSERT INTO ops.backup_runs (id, kind, trigger, status, started_at, engine, place, instance)
       VALUES ($1, 'base', $2, 'running', $3, $4, $5, $6)`,
      [id, trigger, startedAt, engine, place, instance],
    );
    return id;
  }

  async succeed(run: string, { id, clusterBytes, storedBytes }: BackupSummary, finishedAt: Date): Promise<void> {
    await this.session.query(
      `UPDATE ops.backup_runs SET status = 'succeeded', finished_at = $2, backup_id = $3, cluster_bytes = $4, stored_bytes = $5
       WHERE id = $1`,
      [run, finishedAt, id, clusterBytes, storedBytes],
    );
  }

  async fail(run: string, error: string, finishedAt: Date): Promise<void> {
    await this.session.query(
      `UPDATE ops.backup_runs SET status = 'failed', finished_at = $2, error = $3 WHERE id = $1`,
      [run, finishedAt, error],
    );
  }

  /** Closes, as failed, the runs whose process is gone: nobody holds their lock. @returns how many */
  async closeInterrupted(now: Date): Promise<number> {
    const closed = await this.session.query(
      `UPDATE ops.backup_runs SET status = 'failed', finished_at = $1, error = $2
       WHERE status = 'running' AND pg_try_advisory_xact_lock(hashtextextended($3 || id::text, 0)) RETURNING id`,
      [now, INTERRUPTED, LOCK],
    );
    return closed.length;
  }

  async writeState(state: BackupState): Promise<void> {
    const columns = Object.values(STATE_COLUMNS);
    await this.session.query(
      `INSERT INTO ops.backup_state (${columns.join(', ')}) VALUES (${columns.map((_, index) => `$${index + 1}`).join(', ')})
       ON CONFLICT (id) DO UPDATE SET ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
      STATE_NAMES.map((name) => state[name]),
    );
  }

  readState(): Promise<BackupState | null> {
    return readState(this.session);
  }

  readRuns(): Promise<Runs> {
    return readRuns(this.session);
  }
}

/** null: no instance was ever elected. */
export async function readState(reader: CatalogueReader): Promise<BackupState | null> {
  const columns = STATE_NAMES.map(
    (name) => `${STATE_COLUMNS[name]}${BIGINTS.has(name) ? '::float8' : ''} AS "${name}"`,
  );
  const [state] = await reader.query<BackupState>(`SELECT ${columns.join(', ')} FROM ops.backup_state`);
  return state ?? null;
}

export async function readRuns(reader: CatalogueReader): Promise<Runs> {
  const rows = await reader.query<Run & { status: RunStatus; failuresInARow: number }>(
    `SELECT DISTINCT ON (status) status, trigger, started_at AS "startedAt", finished_at AS "finishedAt", backup_id AS "backupId",
       cluster_bytes::float8 AS "clusterBytes", stored_bytes::float8 AS "storedBytes", error,
       count(*) OVER (PARTITION BY status)::int AS total,
       (SELECT count(*)::int FROM ops.backup_runs failed WHERE failed.status = 'failed' AND failed.started_at > coalesce(greatest(
          (SELECT max(started_at) FROM ops.backup_runs WHERE status = 'succeeded'), (SELECT newest_backup_at FROM ops.backup_state)
        ), '-infinity')) AS "failuresInARow"
     FROM ops.backup_runs ORDER BY status, started_at DESC`,
  );
  const newest: Runs['newest'] = {};
  for (const { status, failuresInARow: _, ...run } of rows) newest[status] = run;
  return { newest, failuresInARow: rows[0]?.failuresInARow ?? 0 };
}
