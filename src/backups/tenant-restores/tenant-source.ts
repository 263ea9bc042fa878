import path from 'node:path';
import type { BackupEnv } from '../../config/backup-env';
import { applyMigrations } from '../../database/migrations';
import { TenantReader } from '../../database/tenant-reader';
import type { BackupEngine, RecoveredCluster } from '../engine';
import { ownerUrlOf } from '../recovered-cluster';
import { RestoringDirectory } from '../restoring-directory';
import { scratchDirectory } from '../scratch-directory';
import type { RestoreStep } from './tenant-restore';

export interface SourceOptions {
  env: BackupEnv;
  engine: BackupEngine;
  at: Date;
  tenantId: string;
  /** The name of Tenantry's database. */
  database: string;
  onProgress: (step: RestoreStep, done: number, total: number) => void;
  signal: AbortSignal;
}

/** Where the clusters of restores lie, one for each tenant. */
export async function scratchOf(env: BackupEnv): Promise<string> {
  return path.join(await scratchDirectory(env), 'tenant-restores');
}

/**
 * Runs `work` on the database as it was at a moment, brought to today's schema, in a scratch cluster that nobody else reaches. The
 * scratch is discarded whatever happens; what a killed process has left is removed by the next restore (RestoringDirectory).
 * @throws OutsideCoverageError and the engine's other errors
 */
export async function withTenantSource<Result>(
  options: SourceOptions,
  work: (reader: TenantReader) => Promise<Result>,
): Promise<Result> {
  const { env, engine, at, tenantId, onProgress, signal } = options;
  const plan = await engine.planRestore({ moment: { kind: 'time', at } });
  const target = path.join(await scratchOf(env), `tenant-${tenantId}`);
  const scratch = await RestoringDirectory.prepare(target, plan.backup?.clusterBytes ?? 0);
  const cluster = await engine.materialize(plan, { directory: scratch.path, isScratch: true, onProgress, signal });
  try {
    signal.throwIfAborted();
    await migrate(cluster, options);
    const reader = await TenantReader.connect(cluster.adminUrl(options.database), tenantId);
    try {
      return await work(reader);
    } finally {
      await reader.end();
    }
  } finally {
    await cluster.discard();
  }
}

/** A schema of then is brought to today's, so that its rows are what today's tables hold. */
async function migrate(
  cluster: RecoveredCluster,
  { database, onProgress }: Pick<SourceOptions, 'database' | 'onProgress'>,
): Promise<void> {
  onProgress('migrate', 0, 1);
  await applyMigrations(ownerUrlOf(cluster, database));
  onProgress('migrate', 1, 1);
}
