import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { type BackupRepository, NameTakenError } from '../repository/repository';
import { type BackupKey, open, seal } from '../repository/sealed-stream';
import type { StoredSegment } from '../coverage';
import { nameOfSegment, segmentOfName, type WalSegment } from '../wal-segments';

/** A segment as it lies in the repository. */
export interface ArchivedSegment extends StoredSegment {
  name: string;
  /** In the repository. */
  file: string;
}

/** The same name, and other bytes: two clusters write into one repository, or one of them was restored and not told so. */
export class WalMismatchError extends Error {
  constructor(name: string) {
    super(`The segment ${name} is in the repository with other content. Give this cluster a repository of its own.`);
    this.name = 'WalMismatchError';
  }
}

/** `<segment>.<time of a commit, ms>.<gz[.sealed]>`: a listing alone tells what can be restored. */
const FILE = /^wal\/[0-9A-F]{8}\/([0-9A-F]{24})\.(\d+)\.gz(?:\.sealed)?$/;
/** `<timeline>.history[.<time of its beginning, ms>].<gz[.sealed]>` */
const HISTORY = /^wal\/([0-9A-F]{8})\.history(?:\.(\d+))?\.gz(?:\.sealed)?$/;
const SEALED = '.sealed';
const CHUNK_BYTES = 256 * 1024;
/** A third of the time of the default, for a few percent of the size… */
const FAST = 1;
/** …but of zeros it leaves four times as much as this one (73 KB of 16 MB instead of 17), each minute of a quiet system. */
const FOR_ZEROS = 4;
const PAGE_BYTES = 8192;

/** The write-ahead log in a repository: whole segments, in order, each at most once. */
export class WalArchive {
  constructor(
    private readonly repository: BackupRepository,
    private readonly keys: readonly BackupKey[],
    readonly segmentBytes: number,
  ) {}

  /** Where there is a key, what is not sealed is not ours: whoever may write into the repository could do without it. */
  private readonly filesBelow = async (prefix: string): Promise<string[]> => {
    const files = await this.repository.list(prefix);
    return this.keys.length > 0 ? files.filter((file) => file.endsWith(SEALED)) : files;
  };

  /**
   * Stores a whole segment. Storing the same one again does nothing, unless a later commit in it is known now: then it is there twice.
   * @throws WalMismatchError when there is one of this name with other content
   */
  async store(segment: WalSegment, content: Buffer, committedAt: Date | undefined): Promise<void> {
    const name = nameOfSegment(segment, this.segmentBytes);
    const known = (await this.filesBelow(`${directoryOf(segment.timeline)}${name}.`)).at(-1);
    if (known !== undefined) await this.assertSame(name, known, content);
    const time = committedAt?.getTime() ?? 0;
    if (known !== undefined && Number(FILE.exec(known)?.[2]) >= time) return;
    const file = `${directoryOf(segment.timeline)}${name}.${time}.gz`;
    try {
      await this.put(file, content);
    } catch (error) {
      if (!(error instanceof NameTakenError)) throw error;
      await this.assertSame(name, error.fileName, content); // stored at the same time, for a backup or by the receiver
    }
  }

  /** Stores the file that tells where a timeline has left the one before it. @param begunAt when that was */
  async storeHistory(name: string, content: Buffer, begunAt: Date | undefined): Promise<void> {
    const [known] = await this.filesBelow(`wal/${name}.`);
    if (known !== undefined) return this.assertSame(name, known, content);
    await this.put(`wal/${name}${begunAt ? `.${begunAt.getTime()}` : ''}.gz`, content);
  }

  /** Those of a timeline, in order; `from` leaves out what lies before. */
  async list(timeline: number, from = 0n): Promise<ArchivedSegment[]> {
    const files = await this.filesBelow(directoryOf(timeline));
    return files.flatMap((file) => {
      const [, name, time] = FILE.exec(file) ?? [];
      const segment = name && segmentOfName(name, this.segmentBytes);
      if (!segment || segment.number < from) return [];
      return [{ ...segment, name, file, committedAt: time === '0' ? undefined : new Date(Number(time)) }];
    });
  }

  /** The timelines that have left another one, with the file that says where. */
  async listHistories(): Promise<{ timeline: number; file: string; name: string; begunAt: Date | undefined }[]> {
    return (await this.filesBelow('wal/')).flatMap((file) => {
      const [, timeline, time] = HISTORY.exec(file) ?? [];
      if (!timeline) return [];
      const begunAt = time ? new Date(Number(time)) : undefined;
      return [{ timeline: Number.parseInt(timeline, 16), file, name: `${timeline}.history`, begunAt }];
    });
  }

  /** What a file of the archive holds, decompressed. */
  async read(file: string): Promise<Readable> {
    const plain = createGunzip({ chunkSize: 256 * 1024 });
    const steps = [await this.repository.get(file), ...(file.endsWith(SEALED) ? [open(this.keys, file)] : []), plain];
    pipeline(steps).catch((error: Error) => plain.destroy(error));
    return plain;
  }

  private async put(file: string, content: Buffer): Promise<void> {
    const [key] = this.keys;
    const name = key ? `${file}${SEALED}` : file;
    const steps = [
      Readable.from([content], { objectMode: false }),
      createGzip({ level: levelFor(content), chunkSize: CHUNK_BYTES }),
      ...(key ? [seal(key, name)] : []),
    ];
    const last = steps.at(-1) as Readable;
    pipeline(steps as [Readable]).catch((error: Error) => last.destroy(error));
    await this.repository.put(name, last);
  }

  private async assertSame(name: string, file: string, content: Buffer): Promise<void> {
    if (!(await buffer(await this.read(file))).equals(content)) throw new WalMismatchError(name);
  }
}

/** What was ended before it was full has zeros at its end. */
const levelFor = (content: Buffer): number =>
  content.subarray(-PAGE_BYTES).every((byte) => byte === 0) ? FOR_ZEROS : FAST;

const directoryOf = (timeline: number): string => `wal/${timeline.toString(16).toUpperCase().padStart(8, '0')}/`;
