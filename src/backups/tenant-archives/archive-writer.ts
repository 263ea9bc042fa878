import { createHash, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync, openSync } from 'node:fs';
import { link, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import { signDocument } from '../../auth/signed-document';
import { StartupError } from '../../common/errors';
import { flushDirectory } from '../../common/flush-directory';
import type { TableColumn } from '../../database/tenant-tables';
import {
  ARCHIVE_TYPE,
  type ArchivedTable,
  type ArchiveManifest,
  MANIFEST,
  MAX_LINE_BYTES,
  PART_BYTES,
  partName,
  SIGNATURE,
} from './archive-format';

/** Writes an archive: aside, for its owner alone, and under its name only once it is whole. */
export class ArchiveWriter {
  private readonly tar = pack();
  private readonly tables: ArchivedTable[] = [];
  private readonly written: Promise<void>;
  private failure: Error | undefined;

  private constructor(
    private readonly file: string,
    private readonly aside: string,
  ) {
    const out = createWriteStream(aside, { fd: openSync(aside, 'wx', 0o600), flush: true });
    this.written = pipeline(this.tar, createGzip(), out);
    this.written.catch((error: Error) => (this.failure = error));
  }

  /** @throws StartupError when there is a file of this name: an export replaces nothing */
  static create(file: string): ArchiveWriter {
    if (existsSync(file)) throw new StartupError(`${file} exists already. Choose another name.`);
    return new ArchiveWriter(file, path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}.partial`));
  }

  /** Adds a table. @param batches of rows, each a line of JSON */
  async table(name: string, columns: readonly TableColumn[], batches: AsyncIterable<readonly string[]>): Promise<void> {
    const table: ArchivedTable = { name, columns: [...columns], rows: 0, parts: [] };
    this.tables.push(table);
    let [lines, bytes]: [Buffer[], number] = [[], 0];
    const close = async (): Promise<void> => {
      if (lines.length === 0) return;
      const content = Buffer.concat(lines, bytes);
      const part = partName(name, table.parts.length + 1);
      const sha256 = createHash('sha256').update(content).digest('hex');
      await this.entry(part, content);
      table.parts.push({ name: part, bytes, rows: lines.length, sha256 });
      table.rows += lines.length;
      [lines, bytes] = [[], 0];
    };
    for await (const batch of batches) {
      for (const row of batch) {
        const line = Buffer.from(`${row}\n`);
        if (line.length > MAX_LINE_BYTES) throw new Error(`A row of ${name} is longer than ${MAX_LINE_BYTES} bytes.`);
        lines.push(line);
        bytes += line.length;
        if (bytes >= PART_BYTES) await close();
      }
    }
    await close();
  }

  /** Adds the manifest and its signature, and gives the archive its name. */
  async finish(
    about: Omit<ArchiveManifest, 'tables'>,
    key: { kid: string; privateKey: KeyObject },
  ): Promise<ArchiveManifest> {
    const manifest: ArchiveManifest = { ...about, tables: this.tables };
    const content = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
    await this.entry(MANIFEST, content);
    await this.entry(SIGNATURE, Buffer.from(signDocument(key, ARCHIVE_TYPE, content)));
    this.tar.finalize();
    await this.written;
    try {
      await link(this.aside, this.file); // unlike a rename it replaces nothing
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new StartupError(`${this.file} exists already. Choose another name.`);
    }
    await rm(this.aside);
    await flushDirectory(path.dirname(this.file));
    return manifest;
  }

  /** Removes what was written of it. */
  async discard(): Promise<void> {
    this.tar.destroy();
    await this.written.catch(() => undefined);
    await rm(this.aside, { force: true });
  }

  /** Waits until what came before has gone on its way: so no more than a part is in memory. */
  private async entry(name: string, content: Buffer): Promise<void> {
    if (this.failure) throw this.failure;
    const entry = this.tar.entry({ name, size: content.length, mode: 0o600, mtime: new Date(0) });
    entry.end(content);
    await Promise.race([once(entry, 'close'), this.written]);
  }
}
