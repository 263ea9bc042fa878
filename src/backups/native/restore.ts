import { chownSync, createWriteStream, existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StartupError } from '../../common/errors';
import { findPostgresBinaries } from '../../database/postgres-binaries';
import { recover, type RecoveryServer } from '../../database/recovery-server';
import { type Account, serverAccount } from '../../database/unprivileged-account';
import type { BackupStore } from './backup-store';
import { type CoverageWindow, type Moment, segmentsUpTo, windowFor } from './coverage';
import { materialize } from './materialize';
import type { ArchivedSegment } from './wal-archive';

export interface RestorePlan {
  window: CoverageWindow;
  moment: Moment;
}

export type RestoreStep = 'files' | 'log' | 'replay';

export interface RestoreOptions {
  store: BackupStore;
  plan: RestorePlan;
  /** The new data directory (PGDATA). It must not exist. */
  directory: string;
  /** Of PostgreSQL's programs, of the version that the backup is of; undefined: the embedded ones. */
  binDir: string | undefined;
  onProgress?: (step: RestoreStep, done: number, total: number) => void;
}

/**
 * Finds out from what a moment can be restored.
 * @throws OutsideCoverageError, with the windows that there are, when it cannot
 */
export async function planRestore(store: BackupStore, moment: Moment): Promise<RestorePlan> {
  return { window: windowFor(moment, await store.holdings()), moment };
}

/**
 * Restores a cluster into a new directory and replays it up to the moment; every byte of the backup is checked on the way.
 * Where it fails nothing is left. The server that is running still has its own directory and notices nothing.
 * @returns the server on it, for who wants to look; finish() leaves an ordinary data directory
 * @throws StartupError when PostgreSQL's programs are of another version; BackupDamagedError; RecoveryFailedError
 */
export async function restore(options: RestoreOptions): Promise<RecoveryServer> {
  const { store, plan, directory, binDir } = options;
  if (existsSync(directory)) throw new StartupError(`${directory} exists. Choose a directory that does not.`);
  const { backup, timeline } = plan.window;
  const segments = segmentsUpTo(plan.moment, plan.window);
  const account = serverAccount(directory);
  const binaries = await findPostgresBinaries(binDir, account);
  if (binaries.major !== backup.serverMajor) {
    throw new StartupError(
      `The backup is of PostgreSQL ${backup.serverMajor}, the programs here are of ${binaries.major}. ` +
        'Set POSTGRES_BIN_DIR to the directory of the right ones, such as /usr/lib/postgresql/15/bin.',
    );
  }
  const walDirectory = `${directory}.wal`;
  try {
    await materialize({
      ...store,
      manifest: backup,
      directory,
      account,
      onProgress: (done) => options.onProgress?.('files', done, backup.clusterBytes),
    });
    await fetchLog(options, segments, walDirectory, account);
    options.onProgress?.('replay', 0, segments.length);
    const server = await recover({
      pgData: directory,
      walDirectory,
      target: plan.moment,
      timeline,
      binaries,
      account,
    });
    options.onProgress?.('replay', segments.length, segments.length);
    return server;
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(walDirectory, { recursive: true, force: true }); // it is replayed
  }
}

async function fetchLog(
  { store, onProgress }: RestoreOptions,
  segments: readonly ArchivedSegment[],
  target: string,
  account: Account | undefined,
): Promise<void> {
  const { archive } = store;
  const histories = await archive.listHistories();
  const files = [...histories, ...segments];
  mkdirSync(target, { mode: 0o700 });
  if (account) chownSync(target, account.uid, account.gid);
  for (const [index, { file, name }] of files.entries()) {
    const copy = path.join(target, name);
    await pipeline(await archive.read(file), createWriteStream(copy, { mode: 0o600 }));
    if (account) chownSync(copy, account.uid, account.gid);
    onProgress?.('log', index + 1, files.length);
  }
}
