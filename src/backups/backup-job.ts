import { hostname } from 'node:os';
import { Logger } from '@nestjs/common';
import type { BackupEnv } from '../config/backup-env';
import { redacted } from '../http/log-redaction';
import type { BackupCatalogue, RunTrigger } from './backup-catalogue';
import { backupUrlOf } from './backup-login';
import type { BackupEngine, BackupSummary } from './engine';
import { pruneBackups, retentionOf } from './prune-backups';
import { openNotes } from './repository/open-notes';
import { takeVerificationPoint } from './verification-point';

export interface BackupJobOptions {
  env: BackupEnv;
  engine: BackupEngine;
  /** Undefined: the database cannot be asked for it. The backup is taken all the same. */
  catalogue: BackupCatalogue | undefined;
  trigger: RunTrigger;
  checkpoint: 'fast' | 'spread';
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Ends it; what was stored of it is removed. */
  signal?: AbortSignal | undefined;
}

/** The host and process, as the catalogue names who did something. */
export const INSTANCE = `${hostname()}:${process.pid}`;

const MAX_ERROR_LENGTH = 300;
const logger = new Logger('Backups');

/**
 * One backup, whole: taken, noted in ops.backup_runs, with what a restore will be held against, and what it has made superfluous
 * removed. What fails beside the backup itself is warned of, and fails nothing: the backup is there.
 * @throws Error the engine's
 */
export async function runBackupJob(options: BackupJobOptions): Promise<BackupSummary> {
  const { env, engine, catalogue, trigger, checkpoint, onProgress, signal } = options;
  const { name, place } = engine;
  const run = await unlessItFails('It is not noted in ops.backup_runs', () =>
    catalogue?.begin({ trigger, startedAt: new Date(), engine: name, place, instance: INSTANCE }),
  );
  const note = (write: (known: BackupCatalogue, run: string) => Promise<void>): Promise<void> =>
    unlessItFails('It is not noted in ops.backup_runs how it ended', async () => {
      if (catalogue && run !== undefined) await write(catalogue, run);
    });
  let backup: BackupSummary;
  try {
    backup = await engine.createBackup({ checkpoint, onProgress, signal });
  } catch (error) {
    const reason = signal?.aborted
      ? 'stopped: the instance was told to stop, or is no longer elected'
      : failureOf(error);
    await note((known, id) => known.fail(id, reason, new Date()));
    throw error;
  }
  await note((known, id) => known.succeed(id, backup, new Date()));
  const notes = openNotes(env);
  await unlessItFails('A restore cannot be held against what stood in the database', () =>
    takeVerificationPoint({ notes, url: backupUrlOf(env), backupId: backup.id, signal }),
  );
  if (signal?.aborted) return backup;
  await unlessItFails('The log up to that point is not stored before the receiver has it', () =>
    engine.storeLog?.(signal),
  );
  await unlessItFails('What is no longer needed was not removed', async () => {
    const { backups } = await pruneBackups({ engine, notes, rules: retentionOf(env), dryRun: false });
    if (backups.length > 0) logger.log(`Removed what is no longer kept: ${backups.join(', ')}.`);
  });
  return backup;
}

/** Why something failed, in a line that may be shown: no secret, and not for ever. */
export function failureOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (redacted(text.split('\n')[0] || 'failed') as string).slice(0, MAX_ERROR_LENGTH);
}

async function unlessItFails<Result>(
  consequence: string,
  work: () => Promise<Result> | undefined,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    logger.warn(`${consequence}: ${failureOf(error)}`);
    return undefined;
  }
}
