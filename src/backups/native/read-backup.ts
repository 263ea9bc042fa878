import { createHash } from 'node:crypto';
import { type Readable, Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Headers } from 'tar-stream';
import { noteBufferGarbage } from '../../common/buffer-garbage';
import { BackupDamagedError } from '../engine';
import type { BackupManifest } from './backup-manifest';
import {
  type BackupRepository,
  MissingFileError,
  RepositoryFailedError,
  type StoredFile,
} from '../repository/repository';
import { type BackupKey, open } from '../repository/sealed-stream';

/** What to do with the cluster's files as they come by. Content must be read to its end. */
export interface ClusterVisitor {
  directory(path: string, header: Headers): Promise<void>;
  file(path: string, header: Headers, content: Readable): Promise<void>;
  symlink(path: string, header: Headers): Promise<void>;
}

/** PostgreSQL's own manifest (manual, "Backup Manifest Format"). */
interface ServerManifest {
  'System-Identifier'?: number | string;
  Files: { Path?: string; 'Encoded-Path'?: string; Size: number; 'Checksum-Algorithm'?: string; Checksum?: string }[];
  'Manifest-Checksum': string;
}

/** Looks at every byte and keeps none: verifies. */
export const LOOK_ONLY: ClusterVisitor = {
  directory: () => Promise.resolve(),
  symlink: () => Promise.resolve(),
  file: (_path, _header, content) => drained(content),
};

interface ReadOptions {
  repository: BackupRepository;
  keys: readonly BackupKey[];
  manifest: BackupManifest;
  onProgress?: ((doneBytes: number) => void) | undefined;
}

/**
 * Reads a backup from its first byte to its last and checks all of it on the way: what is stored against our manifest, each
 * of the cluster's files against the server's.
 * @throws BackupDamagedError naming the first thing that is wrong
 */
export async function readBackup(options: ReadOptions, visitor: ClusterVisitor = LOOK_ONLY): Promise<void> {
  const { manifest } = options;
  try {
    const expected = await readServerManifest(options);
    await readCluster(options, expected, visitor);
  } catch (error) {
    if (error instanceof BackupDamagedError || error instanceof RepositoryFailedError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    // What lies in the way of writing is no fault of the backup's.
    if (['ENOSPC', 'EACCES', 'EPERM', 'EROFS', 'EDQUOT', 'EFBIG'].includes(code ?? '')) throw error;
    const isMissing = error instanceof MissingFileError;
    throw new BackupDamagedError(manifest.id, isMissing ? `a file is missing (${message})` : message, { cause: error });
  }
}

async function readServerManifest(options: ReadOptions): Promise<Map<string, { size: number; checksum: string }>> {
  const { manifest } = options;
  const text = await storedContent(options, 'backup_manifest', (content) => buffer(content));
  const { Files: files, 'Manifest-Checksum': checksum } = JSON.parse(text.toString('utf8')) as ServerManifest;
  // The checksum is of all that stands before its own line.
  const signed = text.subarray(0, text.lastIndexOf('"Manifest-Checksum"'));
  if (createHash('sha256').update(signed).digest('hex') !== checksum)
    throw new BackupDamagedError(manifest.id, "the server's manifest does not have its own checksum");
  return new Map(
    files.map((file) => {
      const path = file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('latin1');
      if (file['Checksum-Algorithm'] !== 'SHA256') throw new BackupDamagedError(manifest.id, `${path} has no SHA-256`);
      return [path, { size: file.Size, checksum: file.Checksum ?? '' }];
    }),
  );
}

async function readCluster(
  options: ReadOptions,
  expected: Map<string, { size: number; checksum: string }>,
  visitor: ClusterVisitor,
): Promise<void> {
  const { id } = options.manifest;
  const missing = new Set(expected.keys());
  let doneBytes = 0;
  await storedContent(options, 'base.tar', async (content) => {
    const archive = extract();
    const reading = pipeline(content, archive);
    reading.catch(() => undefined); // it ends the loop, and is awaited after it
    for await (const entry of archive) {
      const { header } = entry;
      const path = header.name.replace(/^\.\//, '').replace(/\/$/, '');
      if (header.type === 'directory') await visitor.directory(path, header);
      else if (header.type === 'symlink') await visitor.symlink(path, header);
      if (header.type !== 'file') {
        entry.resume();
        continue;
      }
      const hash = createHash('sha256');
      const hashed = passing((chunk) => {
        hash.update(chunk);
        doneBytes += chunk.length;
        noteBufferGarbage(chunk.length);
        options.onProgress?.(doneBytes);
      });
      await Promise.all([pipeline(entry, hashed), visitor.file(path, header, hashed)]);
      const entryExpected = expected.get(path);
      missing.delete(path);
      if (!entryExpected && !path.startsWith('pg_wal/'))
        throw new BackupDamagedError(id, `${path} is in it, and the server's manifest does not know it`);
      if (entryExpected && (entryExpected.size !== header.size || entryExpected.checksum !== hash.digest('hex')))
        throw new BackupDamagedError(id, `${path} is not as the server sent it`);
    }
    await reading;
  });
  const [first] = missing;
  if (first !== undefined) throw new BackupDamagedError(id, `${first} is missing`);
}

/** Opens one of the backup's files, and holds what is stored against the manifest once it has been read. */
async function storedContent<Result>(
  { repository, keys, manifest }: ReadOptions,
  name: string,
  read: (content: Readable) => Promise<Result>,
): Promise<Result> {
  const stored = manifest.files.find((file) => file.name.split('/').at(-1)!.startsWith(`${name}.gz`));
  if (!stored) throw new BackupDamagedError(manifest.id, `${name} is not in its manifest`);
  const hash = createHash('sha256');
  let bytes = 0;
  const measured = passing((chunk) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  const content = createGunzip({ chunkSize: 256 * 1024 });
  const steps = [
    await repository.get(stored.name),
    measured,
    ...(manifest.keyId === undefined ? [] : [open(keys, stored.name)]),
    content,
  ];
  let failure: Error | undefined;
  let result: Result | undefined;
  // Of two that fail the first is the reason; the other one only learns that there is nothing more to come.
  const fail = (error: Error): void => {
    failure ??= error;
    content.destroy();
  };
  await Promise.all([pipeline(steps).catch(fail), read(content).then((found) => (result = found), fail)]);
  if (failure) throw failure;
  assertAsStored(manifest.id, stored, { bytes, sha256: hash.digest('hex') });
  return result!;
}

function assertAsStored(id: string, stored: StoredFile, found: Omit<StoredFile, 'name'>): void {
  if (found.bytes !== stored.bytes)
    throw new BackupDamagedError(id, `${stored.name} has ${found.bytes} bytes instead of ${stored.bytes}`);
  if (found.sha256 !== stored.sha256) throw new BackupDamagedError(id, `${stored.name} has another SHA-256`);
}

function passing(see: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      see(chunk);
      done(undefined, chunk);
    },
  });
}

async function drained(content: Readable): Promise<void> {
  for await (const _ of content);
}
