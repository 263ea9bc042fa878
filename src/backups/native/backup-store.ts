import { text } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import { StartupError } from '../../common/errors';
import type { BackupEnv } from '../../config/backup-env';
import {
  ALL_BACKUPS,
  backupOfFile,
  backupOfManifest,
  type BackupManifest,
  manifestNameOf,
  newBackupId,
  readManifest,
} from './backup-manifest';
import type { Timeline } from '../coverage';
import { parseHistory } from '../timeline-history';
import { SEGMENT_BYTES } from '../wal-segments';
import { BackupDamagedError } from '../engine';
import { openKeys } from '../repository/open-keys';
import { openRepository } from '../repository/open-repository';
import { type BackupRepository, MissingFileError } from '../repository/repository';
import { SealedNotes } from '../repository/sealed-notes';
import type { NativeHoldings } from './native-holdings';
import type { Expired } from './retention';
import type { BackupKey } from '../repository/sealed-stream';
import { type ArchivedSegment, WalArchive } from './wal-archive';

/** No backup takes as long. */
const UNFINISHED_MS = 2 * 86_400_000;

/** A repository with the keys to it. */
export class BackupStore {
  readonly archive: WalArchive;
  readonly notes: SealedNotes;

  constructor(
    readonly repository: BackupRepository,
    /** The first one seals. */
    readonly keys: readonly BackupKey[],
    segmentBytes = SEGMENT_BYTES,
  ) {
    this.archive = new WalArchive(repository, keys, segmentBytes);
    this.notes = new SealedNotes(repository, keys);
  }

  /** The store of the configuration; without a key given, of one that is made once in DATA_DIR. */
  static open(env: BackupEnv): BackupStore {
    return new BackupStore(openRepository(env), openKeys(env));
  }

  /** @throws StartupError when what lies here is of another cluster: mixed, neither could be restored */
  async assertOf(cluster: { systemId: string; segmentBytes: number }): Promise<void> {
    const other = (await this.listBackups()).find(({ systemId }) => systemId !== cluster.systemId);
    if (other)
      throw new StartupError(
        `${this.repository.description} holds backups of another cluster (${other.id}). Choose another BACKUP_DIR or BACKUP_S3_PREFIX.`,
      );
    if (cluster.segmentBytes !== this.archive.segmentBytes)
      throw new StartupError(
        `The server's wal_segment_size is ${cluster.segmentBytes} bytes; backups are made for ${this.archive.segmentBytes}.`,
      );
  }

  /** Every whole backup, the oldest first. One whose manifest is damaged is left out, and said: the others must not wait for it. */
  async listBackups(): Promise<BackupManifest[]> {
    return (await this.readManifests()).flatMap((found) => {
      if (found instanceof Error) new Logger('Backups').error(found.message);
      return found instanceof Error ? [] : found;
    });
  }

  /** Those whose manifest is damaged: they cannot be restored from. */
  async listDamaged(): Promise<BackupDamagedError[]> {
    return (await this.readManifests()).filter((found) => found instanceof Error);
  }

  /** @throws MissingFileError when there is no such backup; BackupDamagedError when its manifest is not what was written */
  async readManifest(id: string): Promise<BackupManifest> {
    return readManifest(id, await text(await this.repository.get(manifestNameOf(id))), this.keys);
  }

  private async readManifests(): Promise<(BackupManifest | BackupDamagedError)[]> {
    const ids = (await this.repository.list(ALL_BACKUPS)).flatMap((name) => backupOfManifest(name) ?? []);
    const found = await Promise.all(
      ids.map((id) =>
        this.readManifest(id).catch((error: unknown) => {
          if (error instanceof MissingFileError) return []; // another process is removing it
          if (error instanceof BackupDamagedError) return error;
          throw error;
        }),
      ),
    );
    return found.flat();
  }

  /** Removes what has expired. A backup whose removal is cut short is none any more: its manifest goes first. */
  async remove({ backups, segments }: Expired): Promise<void> {
    for (const { id, files } of backups) {
      await this.repository.remove(manifestNameOf(id));
      for (const { name } of files) await this.repository.remove(name);
    }
    for (const { file } of segments) await this.repository.remove(file);
  }

  /** Removes what backups have left that were killed on the way: files without a manifest, of two days ago or earlier. */
  async sweep(now: Date): Promise<void> {
    const before = new Date(now.getTime() - UNFINISHED_MS);
    await this.repository.sweep?.(before);
    const names = await this.repository.list(ALL_BACKUPS);
    const whole = new Set(names.map(backupOfManifest));
    for (const name of names) {
      const id = backupOfFile(name);
      if (!whole.has(id) && id < newBackupId(before, '')) await this.repository.remove(name);
    }
  }

  /** Seals what is stored from now on; undefined: nothing does. */
  get key(): BackupKey | undefined {
    return this.keys[0];
  }

  /** All that can be restored from. */
  async holdings(): Promise<NativeHoldings> {
    const backups = await this.listBackups();
    const histories = await this.archive.listHistories();
    const numbers = new Set([...backups.map(({ start }) => start.timeline), ...histories.map((one) => one.timeline)]);
    const timelines = await Promise.all(
      [...numbers].map(async (timeline): Promise<Timeline<ArchivedSegment>> => {
        const { file, begunAt } = histories.find((one) => one.timeline === timeline) ?? {};
        const history = file ? parseHistory(await text(await this.archive.read(file))) : [];
        return { timeline, segments: await this.archive.list(timeline), history, begunAt };
      }),
    );
    return { segmentBytes: this.archive.segmentBytes, backups, timelines };
  }
}
