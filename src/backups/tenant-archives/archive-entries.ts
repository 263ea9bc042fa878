import { createReadStream } from 'node:fs';
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
  tar.on('entry', (header, content, next) => {
    content.on('error', () => undefined); // the pipeline tells
    const take = async (): Promise<void> => {
      assertOurs(header.name, header.type ?? 'file', header.size ?? 0, seen);
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
    await pipeline(createReadStream(file), createGunzip(), tar);
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
  seen.add(name);
}
