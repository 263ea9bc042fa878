import { randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { noteBufferGarbage } from '../../common/buffer-garbage';
import { type BaseBackupEvent, type LogPosition, streamBaseBackup } from '../../database/backup-stream';
import { holdLog } from '../../database/held-log';
import { connectForReplication } from '../../database/replication-connection';
import { type BackupManifest, directoryOf, manifestNameOf, newBackupId, writeManifest } from './backup-manifest';
import type { BackupStore } from './backup-store';
import { storeLog } from './store-log';
import type { StoredFile } from '../repository/repository';
import { seal } from '../repository/sealed-stream';

/** Level 1 takes a third of the time of the default, for a few percent of the size. */
const GZIP = { level: 1, chunkSize: 256 * 1024 };

export interface TakeBackupOptions {
  store: BackupStore;
  /** Of the backup login. */
  url: string;
  /** Named in what goes wrong. */
  variable: string;
  checkpoint?: 'fast' | 'spread';
  onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
  /** Ends it; what was stored of it is removed. */
  signal?: AbortSignal | undefined;
}

/**
 * Takes a base backup of the whole cluster into a repository, streaming: memory does not grow with the database. The log that
 * it needs itself is stored with it. It counts from the moment that its manifest is there; what a failure leaves behind is removed.
 * @throws StartupError when the repository is of another cluster
 * @throws Error of the server's or the repository's
 */
export async function takeBackup(options: TakeBackupOptions): Promise<BackupManifest> {
  const log = await holdLog(options.url, options.variable);
  try {
    return await takeWithLog(options);
  } finally {
    await log.release();
  }
}

async function takeWithLog(options: TakeBackupOptions): Promise<BackupManifest> {
  const { repository, key } = options.store;
  const startedAt = new Date();
  const id = newBackupId(startedAt, randomBytes(3).toString('hex'));
  const connection = await connectForReplication(options.url, options.variable);
  const files: StoredFile[] = [];
  const stop = (): void => void connection.client.end().catch(() => undefined);
  options.signal?.addEventListener('abort', stop);
  try {
    options.signal?.throwIfAborted();
    await options.store.assertOf(connection);
    const label = `tenantry ${id}`;
    const events = streamBaseBackup(connection, { label, checkpoint: options.checkpoint ?? 'spread' });
    const found = await storeFiles(events, { ...options, directory: directoryOf(id), files });
    const finishedAt = await storeLog({ ...options, backup: found });
    const manifest: BackupManifest = {
      format: 1,
      id,
      systemId: connection.systemId,
      serverMajor: connection.serverMajor,
      startedAt: startedAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
      ...found,
      keyId: key?.id,
      files,
    };
    options.signal?.throwIfAborted();
    const text = writeManifest(manifest, key);
    await repository.put(manifestNameOf(id), Readable.from([Buffer.from(text)], { objectMode: false }));
    return manifest;
  } catch (error) {
    for (const { name } of files) await repository.remove(name).catch(() => undefined); // it says more than that
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await connection.client.end().catch(() => undefined);
  }
}

interface Storing extends TakeBackupOptions {
  directory: string;
  files: StoredFile[];
}

async function storeFiles(
  events: AsyncIterable<BaseBackupEvent>,
  storing: Storing,
): Promise<{ start: LogPosition; end: LogPosition; clusterBytes: number }> {
  let start: LogPosition | undefined;
  let end: LogPosition | undefined;
  let current: FileInMaking | undefined;
  let totalBytes = 0;
  let clusterBytes = 0;
  try {
    for await (const event of events) {
      if (event.kind === 'start') ({ position: start, totalBytes } = event);
      else if (event.kind === 'end') end = event.position;
      else if (event.kind === 'file') {
        await current?.finish();
        current = new FileInMaking(event.name, storing);
      } else {
        await current!.write(event.chunk);
        if (current!.name !== 'base.tar') continue;
        clusterBytes += event.chunk.length;
        noteBufferGarbage(event.chunk.length);
        storing.onProgress?.(clusterBytes, Math.max(totalBytes, clusterBytes));
      }
    }
    await current?.finish();
  } catch (error) {
    await current?.abandon(error as Error);
    throw error;
  }
  if (!start || !end || storing.files.length !== 2) throw new Error('The server ended the backup before it was whole.');
  return { start, end, clusterBytes };
}

/** One file on its way: compressed, sealed, stored. */
class FileInMaking {
  private readonly input = new PassThrough({ highWaterMark: 256 * 1024 });
  private readonly stored: Promise<StoredFile>;
  private failure: Error | undefined;

  constructor(
    readonly name: string,
    private readonly storing: Storing,
  ) {
    const { directory, store } = storing;
    const { key, repository } = store;
    const storedName = `${directory}${name}.gz${key ? '.sealed' : ''}`;
    const output = new PassThrough();
    const steps = [this.input, createGzip(GZIP), ...(key ? [seal(key, storedName)] : []), output];
    this.stored = repository.put(storedName, output);
    this.stored.catch((error: Error) => this.fail(error));
    pipeline(steps).catch((error: Error) => this.fail(error));
  }

  async write(chunk: Buffer): Promise<void> {
    if (this.failure) throw this.failure;
    if (this.input.write(chunk)) return;
    // Where it fails meanwhile, the next write or finish() tells.
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.input.removeListener('drain', go).removeListener('close', go);
        resolve();
      };
      this.input.once('drain', go).once('close', go);
    });
  }

  async finish(): Promise<void> {
    this.input.end();
    this.storing.files.push(await this.stored);
  }

  async abandon(reason: Error): Promise<void> {
    this.input.destroy(reason);
    await this.stored.catch(() => undefined);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.input.destroy();
  }
}
