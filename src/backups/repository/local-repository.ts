import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { flushDirectory } from '../../common/flush-directory';
import { MeasuringStream } from './measuring-stream';
import { type BackupRepository, MissingFileError, NameTakenError, type StoredFile } from './repository';

/** What is being written lies here; whatever is left here is no backup's. */
const ASIDE = '.partial';

/** Backups in a directory, which may be a mounted share. Written aside, flushed to the disk, then linked to its name. */
export class LocalRepository implements BackupRepository {
  constructor(private readonly root: string) {}

  get description(): string {
    return `the directory ${this.root}`;
  }

  async put(name: string, content: Readable): Promise<StoredFile> {
    const file = this.resolve(name);
    const aside = path.join(this.root, ASIDE, `${process.pid}.${randomBytes(6).toString('hex')}`);
    await mkdir(path.dirname(aside), { recursive: true, mode: 0o700 });
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const measure = new MeasuringStream();
    try {
      await pipeline(content, measure, createWriteStream(aside, { mode: 0o600, flush: true }));
      await link(aside, file); // unlike a rename it never replaces
      await flushDirectory(path.dirname(file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw new NameTakenError(name);
      throw error;
    } finally {
      await rm(aside, { force: true });
    }
    return measure.result(name);
  }

  async get(name: string): Promise<Readable> {
    const handle = await open(this.resolve(name)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? new MissingFileError(name) : error;
    });
    return createReadStream('', { fd: handle, highWaterMark: 256 * 1024 });
  }

  async list(prefix: string): Promise<string[]> {
    // The prefix may end in the middle of a name: its directory is read.
    const directory = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    const entries = await readdir(this.resolve(directory || '.'), { recursive: true, withFileTypes: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      },
    );
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(this.root, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
      .filter((name) => name.startsWith(prefix) && !name.startsWith(`${ASIDE}/`))
      .toSorted();
  }

  async remove(name: string): Promise<void> {
    await rm(this.resolve(name), { force: true });
  }

  async sweep(before: Date): Promise<void> {
    const aside = path.join(this.root, ASIDE);
    const names = await readdir(aside).catch(() => []); // nothing was ever written
    for (const name of names) {
      const file = path.join(aside, name);
      const found = await stat(file).catch(() => undefined); // its writer has just ended
      if (found && found.mtime < before) await rm(file, { force: true });
    }
  }

  private resolve(name: string): string {
    const file = path.resolve(this.root, name);
    if (file !== path.resolve(this.root) && !file.startsWith(path.resolve(this.root) + path.sep))
      throw new TypeError(`${name} is outside of the repository`);
    return file;
  }
}
