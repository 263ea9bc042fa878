import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { PROGRAM_ENV } from '../../database/run-program';
import type { StoredSegment, Timeline } from '../coverage';
import { parseHistory } from '../timeline-history';
import { SEGMENT_BYTES, segmentOfName } from '../wal-segments';
import { type CommitTimes, readCommitTimes } from './commit-times';
import type { PgBackRest } from './pgbackrest-program';

/** A segment as it lies in the repository. */
export interface ListedSegment extends StoredSegment {
  name: string;
  /** In the repository. */
  file: string;
}

const SEGMENT = /^[0-9A-F]{16}\/([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$/;
const HISTORY = /^([0-9A-F]{8})\.history/;
/** Programs that decompress, by the ending of what they do. */
const DECOMPRESSORS: Record<string, string> = { '.gz': 'gzip', '.bz2': 'bzip2', '.lz4': 'lz4', '.zst': 'zstd' };
/** So many segments without a commit are looked through. */
const MAX_QUIET_SEGMENTS = 16;

/** The write-ahead log of one cluster in pgBackRest's repository. */
export class PgBackRestArchive {
  /** Of segments that were read. They never change. */
  private readonly known = new Map<string, CommitTimes>();

  constructor(
    private readonly program: PgBackRest,
    private readonly binDir: string,
  ) {}

  readonly segmentBytes = SEGMENT_BYTES;

  /** @param archiveId such as `15-1` */
  async readTimelines(archiveId: string): Promise<Timeline<ListedSegment>[]> {
    const root = `archive/${this.program.stanza}/${archiveId}`;
    const listing = await this.program.run('repo-ls', ['--repo=1', '--output=json', '--recurse', root]);
    const files = Object.keys(JSON.parse(listing) as object).toSorted();
    const segments = files.flatMap((file): ListedSegment[] => {
      const name = SEGMENT.exec(file)?.[1];
      const segment = name && segmentOfName(name, SEGMENT_BYTES);
      return segment ? [{ ...segment, name, file: `${root}/${file}`, committedAt: undefined }] : [];
    });
    const histories = new Map(
      files.flatMap((file) => {
        const id = HISTORY.exec(file)?.[1];
        return id ? [[Number.parseInt(id, 16), `${root}/${file}`] as const] : [];
      }),
    );
    const numbers = [...new Set([...segments.map(({ timeline }) => timeline), ...histories.keys()])];
    return Promise.all(
      numbers.map(async (timeline) => {
        const file = histories.get(timeline);
        const history = file === undefined ? [] : parseHistory(await this.readText(file));
        const own = segments.filter((segment) => segment.timeline === timeline);
        await this.findCommits(own, history.length > 0);
        return { timeline, segments: own, history };
      }),
    );
  }

  /** Only what coverage asks for is read: the last commit before each gap or the end, and where a later timeline began. */
  private async findCommits(segments: ListedSegment[], wantsFirst: boolean): Promise<void> {
    const ends = segments.flatMap(({ number }, index) => (segments[index + 1]?.number === number + 1n ? [] : [index]));
    for (const end of ends) {
      const found = await this.search(segments.slice(Math.max(0, end - MAX_QUIET_SEGMENTS), end + 1).toReversed());
      if (found) found.segment.committedAt = found.times.last;
    }
    if (!wantsFirst) return;
    const found = await this.search(segments.slice(0, MAX_QUIET_SEGMENTS));
    if (found) found.segment.committedAt ??= found.times.first;
  }

  private async search(
    segments: readonly ListedSegment[],
  ): Promise<{ segment: ListedSegment; times: NonNullable<CommitTimes> } | undefined> {
    for (const segment of segments) {
      const times = await this.commitTimes(segment);
      if (times) return { segment, times };
    }
    return undefined;
  }

  private async commitTimes({ name, file }: ListedSegment): Promise<CommitTimes> {
    if (this.known.has(file)) return this.known.get(file);
    const directory = await mkdtemp(path.join(tmpdir(), 'tenantry-log-')); // closed to others: rows are in the log
    try {
      const copy = path.join(directory, name);
      await this.fetch(file, (content) => pipeline(content, createWriteStream(copy, { mode: 0o600 })));
      const times = await readCommitTimes(this.binDir, copy);
      this.known.set(file, times);
      return times;
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  private async readText(file: string): Promise<string> {
    let found = '';
    await this.fetch(file, async (content) => {
      found = await text(content);
    });
    return found;
  }

  /** Fetches a file, decrypted by pgBackRest and decompressed by us. */
  private async fetch(file: string, take: (content: Readable) => Promise<void>): Promise<void> {
    const decompressor = DECOMPRESSORS[path.extname(file)];
    await this.program.run('repo-get', ['--repo=1', file], {
      onOutput: async (stored) => {
        if (decompressor === undefined) return take(stored);
        const child = spawn(decompressor, ['-dc'], { env: PROGRAM_ENV, stdio: ['pipe', 'pipe', 'ignore'] });
        await once(child, 'spawn').catch((error: Error) => {
          throw new Error(`${decompressor} is needed to read the log, and does not run: ${error.message}`);
        });
        await Promise.all([pipeline(stored, child.stdin), take(child.stdout)]);
      },
    });
  }
}
