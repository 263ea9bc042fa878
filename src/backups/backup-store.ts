import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import type { BackupEnv } from '../config/backup-env';
import { parseLsn } from '../database/wal-stream';
import { ALL_BACKUPS, backupOfManifest, type BackupManifest, manifestNameOf } from './backup-manifest';
import type { Holdings, Timeline } from './coverage';
import { LocalRepository } from './local-repository';
import type { BackupRepository } from './repository';
import type { Expired } from './retention';
import { BackupKey } from './sealed-stream';
import { WalArchive } from './wal-archive';

const KEY_BYTES = 32;
const KEY_FILE = 'backup.key';
/** initdb's default; every cluster of ours has it. */
const SEGMENT_BYTES = 16 * 1024 * 1024;

/** A repository with the keys to it. */
export class BackupStore {
  readonly archive: WalArchive;

  constructor(
    readonly repository: BackupRepository,
    /** The first one seals. */
    readonly keys: readonly BackupKey[],
    segmentBytes = SEGMENT_BYTES,
  ) {
    this.archive = new WalArchive(repository, keys, segmentBytes);
  }

  /** The store of the configuration; without a key given, of one that is made once in DATA_DIR. */
  static open(env: BackupEnv): BackupStore {
    const keys = env.keys ?? [readOrMakeKey(path.join(env.dataDir, KEY_FILE))];
    return new BackupStore(
      new LocalRepository(env.backupDir),
      keys.map((bytes) => new BackupKey(bytes)),
    );
  }

  /** Every whole backup, the oldest first. */
  async listBackups(): Promise<BackupManifest[]> {
    const ids = (await this.repository.list(ALL_BACKUPS)).flatMap((name) => backupOfManifest(name) ?? []);
    return Promise.all(ids.map((id) => this.readManifest(id)));
  }

  /** @throws Error when there is no such backup, or its manifest cannot be read */
  async readManifest(id: string): Promise<BackupManifest> {
    const name = manifestNameOf(id);
    const manifest = JSON.parse(await text(await this.repository.get(name))) as BackupManifest;
    if (manifest.format !== 1 || manifest.id !== id)
      throw new Error(`${name} is not a manifest that this version of Tenantry reads.`);
    return manifest;
  }

  /** Removes what has expired. A backup whose removal is cut short is none any more: its manifest goes first. */
  async remove({ backups, segments }: Expired): Promise<void> {
    for (const { id, files } of backups) {
      await this.repository.remove(manifestNameOf(id));
      for (const { name } of files) await this.repository.remove(name);
    }
    for (const { file } of segments) await this.repository.remove(file);
  }

  /** All that can be restored from. */
  async holdings(): Promise<Holdings> {
    const backups = await this.listBackups();
    const histories = await this.archive.listHistories();
    const numbers = new Set([...backups.map(({ start }) => start.timeline), ...histories.map((one) => one.timeline)]);
    const timelines = await Promise.all(
      [...numbers].map(async (timeline): Promise<Timeline> => {
        const file = histories.find((one) => one.timeline === timeline)?.file;
        const history = file ? parseHistory(await text(await this.archive.read(file))) : [];
        return { timeline, segments: await this.archive.list(timeline), history };
      }),
    );
    return { segmentBytes: this.archive.segmentBytes, backups, timelines };
  }
}

/** Lines of `<timeline> <position> <reason>` (PostgreSQL's timeline history files). */
function parseHistory(content: string): Timeline['history'] {
  return content.split('\n').flatMap((line) => {
    const [timeline, position] = line.split('\t');
    return timeline && position ? [{ timeline: Number(timeline), until: parseLsn(position) }] : [];
  });
}

function readOrMakeKey(file: string): Buffer {
  mkdirSync(path.dirname(file), { recursive: true });
  try {
    writeFileSync(file, randomBytes(KEY_BYTES).toString('base64'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return Buffer.from(readFileSync(file, 'utf8').trim(), 'base64');
}
