import { createWriteStream } from 'node:fs';
import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ClosedDirectory } from '../../database/closed-directory';
import type { Account } from '../../database/unprivileged-account';
import { BackupDamagedError } from '../engine';
import type { BackupManifest } from './backup-manifest';
import { type ClusterVisitor, readBackup } from './read-backup';
import type { BackupRepository } from '../repository/repository';
import type { BackupKey } from '../repository/sealed-stream';

interface MaterializeOptions {
  repository: BackupRepository;
  keys: readonly BackupKey[];
  manifest: BackupManifest;
  /** Made; it must not exist, or be empty. */
  directory: string;
  /** Who will run a server on it; undefined: we ourselves. */
  account: Account | undefined;
  onProgress?: (doneBytes: number) => void;
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

/**
 * Turns a base backup into a data directory (PGDATA), checking every byte on the way. Where it fails nothing is left.
 * The directory is not ready to serve: it needs the log from `manifest.start` on.
 * @throws BackupDamagedError when the backup is not what was taken
 */
export async function materialize(options: MaterializeOptions): Promise<void> {
  const { directory, account, signal } = options;
  await mkdir(path.dirname(directory), { recursive: true }); // a mode would close these, too
  const closed = await ClosedDirectory.make(directory);
  try {
    if ((await readdir(closed.path)).length > 0) throw new Error(`${directory} is not empty.`);
  } catch (error) {
    await closed.close();
    throw error;
  }
  try {
    await readBackup(options, new ClusterWriter(options.manifest.id, closed.path, account, signal));
    await closed.handOver(account);
  } catch (error) {
    await closed.close();
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

class ClusterWriter implements ClusterVisitor {
  constructor(
    private readonly id: string,
    private readonly root: string,
    private readonly account: Account | undefined,
    private readonly signal: AbortSignal | undefined,
  ) {}

  async directory(name: string): Promise<void> {
    if (name === '') return;
    const target = this.inside(name);
    await mkdir(target, { recursive: true, mode: 0o700 });
    await own(target, this.account);
  }

  async file(name: string, { mode }: { mode?: number | undefined }, content: NodeJS.ReadableStream): Promise<void> {
    const target = this.inside(name);
    // Not flushed: PostgreSQL flushes the whole directory before it replays (SyncDataDirectory), faster than file by file.
    await pipeline(content, createWriteStream(target, { flags: 'wx', mode: 0o600 }), {
      signal: this.signal,
    });
    // PostgreSQL refuses a cluster that others can write to, or read unless initdb was told so.
    if (((mode ?? 0) & 0o040) !== 0) await chmod(target, 0o640);
    await own(target, this.account);
  }

  async symlink(name: string, { linkname }: { linkname?: string | null | undefined }): Promise<void> {
    // pg_wal may be a link to another disk on the server; here it is a directory again.
    if (name === 'pg_wal') return this.directory(name);
    throw new BackupDamagedError(this.id, `${name} is a symbolic link to ${linkname}`);
  }

  private inside(name: string): string {
    const target = path.resolve(this.root, name);
    if (target.startsWith(`${this.root}${path.sep}`)) return target;
    throw new BackupDamagedError(this.id, `${name} would lie outside of the data directory`);
  }
}

async function own(file: string, account: Account | undefined): Promise<void> {
  if (account) await chown(file, account.uid, account.gid);
}
