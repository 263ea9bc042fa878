import type { BackupEnv } from '../../config/backup-env';
import { BACKUP_LOGIN, backupUrlOf } from '../backup-login';
import {
  type BackupEngine,
  type BackupSummary,
  type CoverageSpan,
  type MaterializeOptions,
  OutsideCoverageError,
  type RecoveredCluster,
  type RestorePlan,
  type RestoreTarget,
  type RetentionRules,
} from '../engine';
import type { BackupManifest } from './backup-manifest';
import { BackupStore } from './backup-store';
import { coverageOf, missingLogOf, spanOf, windowFor } from '../coverage';
import { pointOf } from '../restore-points';
import { readBackup } from './read-backup';
import { logFor, restore } from './restore';
import { expiredOf } from './retention';
import { storeLog } from './store-log';
import { takeBackup } from './take-backup';

/** Over the replication protocol, without PostgreSQL's client tools: the embedded server, and any of one's own. */
export class NativeEngine implements BackupEngine {
  readonly name = 'native';

  constructor(
    readonly store: BackupStore,
    private readonly server: {
      /** Of the backup login; asked for when a backup is taken, since a restore needs no server. */
      url: () => string;
      /** The directory of PostgreSQL's programs; undefined: the embedded ones. */
      binDir: string | undefined;
    },
  ) {}

  static open(env: BackupEnv): NativeEngine {
    return new NativeEngine(BackupStore.open(env), { url: () => backupUrlOf(env), binDir: env.postgresBinDir });
  }

  get place(): string {
    return this.store.repository.description;
  }

  async createBackup(options: Parameters<BackupEngine['createBackup']>[0]): Promise<BackupSummary> {
    const { store, server } = this;
    return summaryOf(await takeBackup({ ...options, store, url: server.url(), variable: BACKUP_LOGIN }));
  }

  async storeLog(signal?: AbortSignal): Promise<void> {
    const { store, server } = this;
    await storeLog({ store, url: server.url(), variable: BACKUP_LOGIN, signal });
  }

  async listBackups(): Promise<BackupSummary[]> {
    return (await this.store.listBackups()).map(summaryOf);
  }

  damagedBackups(): Promise<readonly Error[]> {
    return this.store.listDamaged();
  }

  async coverage(): Promise<CoverageSpan[]> {
    return coverageOf(await this.store.holdings()).map(spanOf);
  }

  async missingLogOf(id: string): Promise<string | undefined> {
    const holdings = await this.store.holdings();
    const backup = holdings.backups.find((one) => one.id === id);
    return backup && missingLogOf(backup, holdings);
  }

  async verifyBackup(id: string, onProgress?: (doneBytes: number, totalBytes: number) => void): Promise<void> {
    const { repository, keys } = this.store;
    const manifest = await this.store.readManifest(id);
    await readBackup({ repository, keys, manifest, onProgress: (done) => onProgress?.(done, manifest.clusterBytes) });
  }

  async prune(
    rules: RetentionRules,
    { dryRun, isProtected }: Parameters<BackupEngine['prune']>[1],
  ): Promise<{ backups: string[]; files: number }> {
    const expired = expiredOf(await this.store.holdings(), rules, new Date(), (backup) =>
      Boolean(isProtected?.(summaryOf(backup))),
    );
    if (!dryRun) await this.store.remove(expired);
    if (!dryRun) await this.store.sweep(new Date());
    return { backups: expired.backups.map(({ id }) => id), files: expired.segments.length };
  }

  async planRestore(target: RestoreTarget): Promise<RestorePlan> {
    const point = await pointOf(target.moment, this.store.notes);
    const { moment } = target;
    const window = windowFor(target, await this.store.holdings(), point);
    const { backup, timeline, history, gap } = window;
    const until = moment.kind === 'time' ? moment.at : (point?.at ?? window.to);
    return {
      target,
      backup: summaryOf(backup),
      timeline,
      history,
      until,
      serverMajor: backup.serverMajor,
      logBytes: logFor(moment, until, window).length * this.store.archive.segmentBytes,
      gap: moment.kind === 'latest' ? gap : undefined,
    };
  }

  async materialize(plan: RestorePlan, options: MaterializeOptions): Promise<RecoveredCluster> {
    const windows = coverageOf(await this.store.holdings());
    const window = windows.find(({ backup, timeline }) => backup.id === plan.backup?.id && timeline === plan.timeline);
    if (!window) throw new OutsideCoverageError(plan.target, windows.map(spanOf)); // pruned meanwhile
    const { store, server } = this;
    return restore({ ...options, store, window, plan, binDir: server.binDir });
  }
}

function summaryOf(manifest: BackupManifest): BackupSummary {
  const { id, serverMajor, start, clusterBytes, files } = manifest;
  return {
    id,
    startedAt: new Date(manifest.startedAt),
    finishedAt: new Date(manifest.finishedAt),
    serverMajor,
    timeline: start.timeline,
    clusterBytes,
    storedBytes: files.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}
