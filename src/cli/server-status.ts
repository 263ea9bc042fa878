import { readRuns, readState } from '../backups/backup-catalogue';
import type { BackupOverview } from '../backups/backup-watch';
import { readDrills } from '../backups/drills/drill-catalogue';
import { Clock } from '../common/clock';
import type { Env } from '../config/env';
import { keptLoginUrls } from '../database/embedded-database';
import { MonitorDb } from '../database/monitor-db';
import { describeStatement } from '../database/statement-text';
import { type Activity, ActivityRepository } from '../monitoring/activity.repository';
import { type DatabaseSize, DatabaseSizeService } from '../monitoring/database-size.service';
import { type ArchiveLag, ReplicationRepository, type StandbyLag } from '../monitoring/replication.repository';
import { ServerState } from '../monitoring/server-state';
import { type SizePoint, SizeSamplesRepository } from '../monitoring/size-samples.repository';
import { type MissingStatistics, StatementsRepository } from '../monitoring/statements.repository';
import { StorageRepository } from '../monitoring/storage.repository';
import type { Asked } from './instance-status';

/** What PostgreSQL knows, asked under the monitor login. */
export interface ServerStatus {
  version: string;
  startedAt: Date;
  activity: Activity;
  standbys: StandbyLag[];
  /** null: archiving is off. */
  archive: ArchiveLag | null;
  statements: StatementsStatus;
  /** null: it cannot be read, as before the migrations. */
  size: DatabaseSize | null;
  /** The database's sizes of the last 30 days, oldest first. */
  history: SizePoint[];
  /** null: it cannot be read, as before the migrations. */
  backups: BackupOverview | null;
}

/** Those that took most time in all; times in milliseconds. */
export type StatementsStatus =
  | { missing: MissingStatistics }
  | { countedSince: Date; top: { text: string; login: string; calls: number; totalMs: number; meanMs: number }[] };

const STATEMENTS_SHOWN = 5;
const HISTORY_MS = 30 * 24 * 3_600_000;

/** The monitor login: POSTGRES_MONITOR_URL; without POSTGRES_URL that of the embedded database. Undefined: there is none. */
export function monitorUrl(env: Env): string | undefined {
  return env.POSTGRES_MONITOR_URL ?? (env.POSTGRES_URL ? undefined : keptLoginUrls(env.DATA_DIR).monitor);
}

/** Asks PostgreSQL. It does not throw. */
export async function askServer(env: Env): Promise<Asked<ServerStatus>> {
  const url = monitorUrl(env);
  if (url === undefined) {
    const reason = env.POSTGRES_URL
      ? 'there is no monitor login: set POSTGRES_MONITOR_URL'
      : `nothing has been started in ${env.DATA_DIR} yet`;
    return { isReachable: false, reason };
  }
  const db = new MonitorDb(url);
  try {
    return { isReachable: true, status: await read(db, env) };
  } catch (error) {
    return { isReachable: false, reason: (error as Error).message };
  } finally {
    await db.onApplicationShutdown();
  }
}

async function read(db: MonitorDb, env: Env): Promise<ServerStatus> {
  const clock = new Clock();
  const replication = new ReplicationRepository(db);
  const activity = new ActivityRepository(db);
  const samples = new SizeSamplesRepository(db);
  const [server] = await db.query<{ version: string; startedAt: Date }>(
    `SELECT current_setting('server_version') AS version, pg_postmaster_start_time() AS "startedAt"`,
  );
  const state = new ServerState(db, activity, replication, new StorageRepository(db));
  const since = new Date(clock.now().getTime() - HISTORY_MS);
  return {
    ...server!,
    activity: await activity.read(),
    standbys: await replication.readStandbys(),
    archive: (await replication.readArchive()) ?? null,
    statements: await readStatements(new StatementsRepository(db)),
    size: (await new DatabaseSizeService(state, samples, env, clock).get()) ?? null,
    history: await samples.readDatabaseSince(since).catch(() => []), // the migration that makes the table may be pending
    backups: await readBackups(db).catch(() => null),
  };
}

async function readBackups(db: MonitorDb): Promise<BackupOverview> {
  const [state, runs, drills] = await Promise.all([readState(db), readRuns(db), readDrills(db)]);
  return { readAt: new Date(), state, runs, drills };
}

async function readStatements(statements: StatementsRepository): Promise<StatementsStatus> {
  const source = await statements.locate();
  if (typeof source === 'string') return { missing: source };
  const top = await statements.list(source, 'totalTime', STATEMENTS_SHOWN);
  return {
    countedSince: await statements.countedSince(source),
    top: top.map(({ text, login, calls, totalMs, meanMs }) => ({
      text: describeStatement(text).text,
      login,
      calls,
      totalMs,
      meanMs,
    })),
  };
}
