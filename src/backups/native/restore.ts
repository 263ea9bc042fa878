import { createWriteStream, existsSync, rmSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { StartupError } from '../../common/errors';
import { ClosedDirectory } from '../../database/closed-directory';
import { findPostgresBinaries } from '../../database/postgres-binaries';
import { copyCommand, recover } from '../../database/recovery-server';
import { type Account, serverAccount } from '../../database/unprivileged-account';
import type { MaterializeOptions, Moment, RecoveredCluster, RestorePlan } from '../engine';
import { assertMajor, recoveredCluster } from '../recovered-cluster';
import type { BackupStore } from './backup-store';
import { segmentsUpTo } from '../coverage';
import { materialize } from './materialize';
import type { NativeWindow } from './native-holdings';
import type { ArchivedSegment } from './wal-archive';

export interface RestoreOptions extends MaterializeOptions {
  store: BackupStore;
  /** From what. */
  window: NativeWindow;
  plan: RestorePlan;
  /** Of PostgreSQL's programs, of the version that the backup is of; undefined: the embedded ones. */
  binDir: string | undefined;
}

/**
 * Restores a cluster into a new directory and replays it up to the moment; every byte of the backup is checked on the way.
 * Where it fails nothing is left. The server that is running still has its own directory and notices nothing.
 * @returns the server on it
 * @throws StartupError when PostgreSQL's programs are of another version; BackupDamagedError; RecoveryFailedError
 */
export async function restore(options: RestoreOptions): Promise<RecoveredCluster> {
  const { store, window, plan, directory, signal } = options;
  if (existsSync(directory)) throw new StartupError(`${directory} exists. Choose a directory that does not.`);
  const { backup, timeline } = window;
  const segments = logFor(plan.target.moment, plan.until, window);
  const account = options.account ?? serverAccount(directory);
  const binaries = await findPostgresBinaries(options.binDir, account);
  assertMajor(binaries, backup.serverMajor);
  const walDirectory = `${directory}.wal`;
  try {
    await materialize({
      ...store,
      manifest: backup,
      directory,
      account,
      signal,
      onProgress: (done) => options.onProgress?.('files', done, backup.clusterBytes),
    });
    await fetchLog(options, segments, walDirectory, account);
    options.onProgress?.('replay', 0, segments.length);
    const server = await recover({
      pgData: directory,
      restoreCommand: copyCommand(walDirectory),
      target: plan.target.moment,
      timeline,
      inspection: options.inspection,
      isScratch: options.isScratch,
      binaries,
      account,
      signal,
    });
    options.onProgress?.('replay', segments.length, segments.length);
    return recoveredCluster(server, directory);
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(walDirectory, { recursive: true, force: true }); // it is replayed
  }
}

/** What of the log it takes. A restore point is as good as its time: PostgreSQL itself stops at its name. */
export function logFor(moment: Moment, until: Date, window: NativeWindow): readonly ArchivedSegment[] {
  return segmentsUpTo(moment.kind === 'point' ? { kind: 'time', at: until } : moment, window);
}

async function fetchLog(
  { store, onProgress, signal }: RestoreOptions,
  segments: readonly ArchivedSegment[],
  target: string,
  account: Account | undefined,
): Promise<void> {
  const { archive } = store;
  const histories = await archive.listHistories();
  const files = [...histories, ...segments];
  const closed = await ClosedDirectory.make(target);
  const totalBytes = segments.length * archive.segmentBytes;
  let doneBytes = 0;
  try {
    for (const { file, name } of files) {
      const copy = path.join(closed.path, name);
      await pipeline(await archive.read(file), createWriteStream(copy, { flags: 'wx', mode: 0o600 }), { signal });
      if (account) await chown(copy, account.uid, account.gid);
      if (!name.endsWith('.history')) doneBytes += archive.segmentBytes;
      onProgress?.('log', doneBytes, totalBytes);
    }
    await closed.handOver(account);
  } catch (error) {
    await closed.close();
    throw error;
  }
}
