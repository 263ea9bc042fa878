import { createReadStream } from 'node:fs';
import { Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import {
  ArchiveRefusedError,
  MANIFEST,
  MAX_MANIFEST_BYTES,
  MAX_PART_BYTES,
  SIGNATURE,
  tableOfPart,
} from './archive-format';

/** Between the content of two files there are two headers and padding, and at the end two blocks: some kilobytes, and what streams hold. */
const MAX_BETWEEN_BYTES = 1024 * 1024;
/** More than a manifest could name. */
const MAX_FILES = 200_000;

/**
 * Reads an archive from its first byte to its last, a file of it at a time; nothing is ever written to the disk.
 * @param isWanted of which files the content is wanted; the others are passed over
 * @throws ArchiveRefusedError for what no archive of ours holds: another name, a link, a file twice, one that is too large; for
 *   what cannot be read to its end; and whatever `visit` throws
 */
export async function readEntries(
  file: string,
  isWanted: (name: string) => boolean,
  visit: (name: string, content: Buffer) => Promise<void>,
): Promise<void> {
  const tar = extract();
  const seen = new Set<string>();
  let refusal: unknown;
  // tar-stream holds an extended header in memory, however long it is; compressed it is a thousandth of that.
  let allowance = MAX_BETWEEN_BYTES;
  const bounded = new Transform({
    transform(chunk: Buffer, _, done) {
      allowance -= chunk.length;
      if (allowance >= 0) return done(null, chunk);
      refusal = new ArchiveRefusedError(
        `a header in it, or what follows its end, has more than ${MAX_BETWEEN_BYTES} bytes.`,
      );
      done(refusal as Error);
    },
  });
  tar.on('entry', (header, content, next) => {
    content.on('error', () => undefined); // the pipeline tells
    const take = async (): Promise<void> => {
      assertOurs(header.name, header.type ?? 'file', header.size ?? 0, seen);
      allowance = (header.size ?? 0) + MAX_BETWEEN_BYTES;
      if (isWanted(header.name)) await visit(header.name, await buffer(content));
      else content.resume();
    };
    take().then(
      () => next(),
      (error: unknown) => {
        refusal = error;
        tar.destroy(error as Error);
      },
    );
  });
  try {
    await pipeline(createReadStream(file), createGunzip(), bounded, tar);
  } catch (error) {
    if (refusal !== undefined) throw refusal as Error;
    if (['ENOENT', 'EACCES', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new ArchiveRefusedError(`it cannot be read to its end (${(error as Error).message}).`, { cause: error });
  }
}

function assertOurs(name: string, type: string, bytes: number, seen: Set<string>): void {
  const shown = JSON.stringify(name.slice(0, 100));
  const isPart = tableOfPart(name) !== undefined;
  if (type !== 'file' || !(isPart || name === MANIFEST || name === SIGNATURE))
    throw new ArchiveRefusedError(`${shown} (${type}) does not belong into an archive of a tenant.`);
  if (seen.has(name)) throw new ArchiveRefusedError(`${shown} is in it twice.`);
  const limit = isPart ? MAX_PART_BYTES : MAX_MANIFEST_BYTES * 2; // the signature holds the manifest in base64
  if (bytes > limit) throw new ArchiveRefusedError(`${shown} has ${bytes} bytes, more than ${limit}.`);
  if (seen.size === MAX_FILES) throw new ArchiveRefusedError(`it holds more than ${MAX_FILES} files.`);
  seen.add(name);
}
