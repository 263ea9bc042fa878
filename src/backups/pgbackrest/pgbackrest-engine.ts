import { existsSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { StartupError } from '../../common/errors';
import type { EngineSettings } from '../../config/backup-engine';
import { ClosedDirectory } from '../../database/closed-directory';
import { findPostgresBinaries } from '../../database/postgres-binaries';
import { recover, RecoveryFailedError } from '../../database/recovery-server';
import { replayedPosition } from '../../database/replayed-position';
import type { Account } from '../../database/unprivileged-account';
import { formatLsn } from '../../database/wal-stream';
import {
  type BaseBackup,
  coverageOf,
  type CoverageWindow,
  type Holdings,
  missingLogOf,
  spanOf,
  windowFor,
} from '../coverage';
import {
  BackupDamagedError,
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
import { keptBackups } from '../kept-backups';
import { assertMajor, recoveredCluster } from '../recovered-cluster';
import type { SealedNotes } from '../repository/sealed-notes';
import { pointOf } from '../restore-points';
import { segmentOfName, startOf } from '../wal-segments';
import { type ListedSegment, PgBackRestArchive } from './pgbackrest-archive';
import { type BackupInfo, baseBackupOf, readStanza, type Stanza, summaryOf } from './pgbackrest-info';
import { PgBackRest, PgBackRestError } from './pgbackrest-program';
import { expire, expiredBackups } from './pgbackrest-retention';
import { verifyRepository } from './pgbackrest-verify';
import { markHistories } from './unarchived-histories';
import { repositoryAccount } from './repository-account';

type Settings = Extract<EngineSettings, { name: 'pgbackrest' }>;
type Window = CoverageWindow<BaseBackup, ListedSegment>;

const DAY_MS = 86_400_000;
/** Of its `ERROR: [029]`: the file is not of its form, has another checksum, is cut off or is missing. */
const DAMAGE = [26, 28, 29, 55];
/** `DETAIL: backup file /srv/data/base/5/1255 (768KB, 3.37%)`, and `restore file …` alike. */
const FILE_DONE = /DETAIL: (?:backup|restore) file .+ \((\d+(?:\.\d+)?)(B|KB|MB|GB|TB), (\d+(?:\.\d+)?)%\)/;
const UNITS: Record<string, number> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

/** A server of one's own with pgBackRest (2.45 or newer) beside it, which archives the log, and takes and restores backups. */
export class PgBackRestEngine implements BackupEngine {
  readonly name = 'pgbackrest';
  private readonly archive: PgBackRestArchive;

  constructor(
    private readonly program: PgBackRest,
    private readonly settings: Pick<Settings, 'binDir' | 'fullEveryDays'>,
    /** What lies in our own repository: restore points. */
    private readonly notes: SealedNotes,
  ) {
    this.archive = new PgBackRestArchive(program, settings.binDir);
  }

  static open(settings: Settings, notes: SealedNotes): PgBackRestEngine {
    const { stanza, config } = settings;
    const account = repositoryAccount(stanza, config);
    return new PgBackRestEngine(new PgBackRest({ stanza, config, account }), settings, notes);
  }

  get place(): string {
    return `pgBackRest's repository of the stanza ${this.program.stanza}`;
  }

  async createBackup({
    checkpoint,
    onProgress,
    signal,
  }: Parameters<BackupEngine['createBackup']>[0]): Promise<BackupSummary> {
    const before = await readStanza(this.program);
    if (before.archiveId === undefined) await this.program.run('stanza-create', [], { signal });
    const type = this.typeOfNext(before);
    const start = checkpoint === 'fast' ? '--start-fast' : '--no-start-fast';
    // What it expires by itself is not what was promised: prune() does it.
    const args = [`--type=${type}`, start, '--repo=1', '--no-expire-auto', '--log-level-console=detail'];
    await this.program.run('backup', args, { onLine: progressOf(onProgress), signal });
    const stanza = await readStanza(this.program);
    return summaryOf(stanza, stanza.backups.at(-1)!);
  }

  async listBackups(): Promise<BackupSummary[]> {
    const stanza = await readStanza(this.program);
    return stanza.backups.map((backup) => summaryOf(stanza, backup));
  }

  async coverage(): Promise<CoverageSpan[]> {
    return coverageOf(await this.holdings(await readStanza(this.program))).map(spanOf);
  }

  async missingLogOf(id: string): Promise<string | undefined> {
    const stanza = await readStanza(this.program);
    const backup = stanza.backups.find(({ label }) => label === id);
    return backup && missingLogOf(baseBackupOf(backup), await this.holdings(stanza));
  }

  async verifyBackup(id: string, onProgress?: (doneBytes: number, totalBytes: number) => void): Promise<void> {
    const stanza = await readStanza(this.program);
    const backup = backupOf(stanza, id);
    onProgress?.(0, backup.info.size);
    await verifyRepository(this.program, backup);
    // Its own `verify` does not miss a segment that is not there.
    const missing = missingLogOf(baseBackupOf(backup), await this.holdings(stanza));
    if (missing !== undefined) throw new BackupDamagedError(id, `the segment ${missing} of its log is missing`);
    onProgress?.(backup.info.size, backup.info.size);
  }

  async prune(
    rules: RetentionRules,
    { dryRun, isProtected }: Parameters<BackupEngine['prune']>[1],
  ): Promise<{ backups: string[]; files: number }> {
    const stanza = await readStanza(this.program);
    const { backups } = stanza;
    const kept = keptBackups(await this.holdings(stanza), rules, new Date(), ({ id }) =>
      Boolean(isProtected?.(summaryOf(stanza, backupOf(stanza, id)))),
    );
    const expired = expiredBackups(
      backups,
      kept.map(({ id }) => id),
    );
    const files = await this.superfluousSegments(stanza, expired);
    if (!dryRun && backups.length > 0) await expire(this.program, backups, expired);
    return { backups: expired.map(({ label }) => label), files };
  }

  async planRestore(target: RestoreTarget): Promise<RestorePlan> {
    const point = await pointOf(target.moment, this.notes);
    const stanza = await readStanza(this.program);
    const { backup, timeline, history, to, gap } = windowFor(target, await this.holdings(stanza), point);
    return {
      target,
      backup: summaryOf(stanza, backupOf(stanza, backup.id)),
      timeline,
      history,
      until: target.moment.kind === 'time' ? target.moment.at : (point?.at ?? to),
      serverMajor: stanza.serverMajor,
      gap: target.moment.kind === 'latest' ? gap : undefined,
    };
  }

  async materialize(plan: RestorePlan, options: MaterializeOptions): Promise<RecoveredCluster> {
    const { directory, onProgress, signal } = options;
    const account = this.accountFor(options);
    if (existsSync(directory)) throw new StartupError(`${directory} exists. Choose a directory that does not.`);
    const binaries = await findPostgresBinaries(this.settings.binDir, account);
    assertMajor(binaries, plan.serverMajor);
    const window = await this.windowOf(plan);
    const { id, clusterBytes } = plan.backup!;
    const { moment } = plan.target;
    await mkdir(path.dirname(directory), { recursive: true });
    try {
      await (await ClosedDirectory.make(directory)).handOver(account);
      const onLine = progressOf((done) => onProgress?.('files', Math.min(done, clusterBytes), clusterBytes));
      await restoreFiles(this.program, id, directory, { onLine, signal });
      onProgress?.('files', clusterBytes, clusterBytes);
      onProgress?.('replay', 0, 1);
      const server = await recover({
        pgData: directory,
        restoreCommand: this.program.archiveGetCommand(directory),
        target: moment,
        timeline: plan.timeline,
        inspection: options.inspection,
        isScratch: options.isScratch,
        binaries,
        account,
        signal,
      });
      const finish = async (): Promise<void> => {
        await server.finish();
        markHistories(directory, account);
      };
      const cluster = recoveredCluster({ ...server, finish }, directory);
      if (moment.kind === 'latest') await this.assertReplayed(cluster, window);
      onProgress?.('replay', 1, 1);
      return cluster;
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private accountFor({ account, directory }: MaterializeOptions): Account | undefined {
    const own = this.program.account;
    if (!account || account.uid === (own?.uid ?? process.getuid?.())) return own;
    throw new StartupError(
      `pgBackRest runs as ${own?.name ?? 'this account'}, and ${directory} is to be ${account.name}'s: they must be one.`,
    );
  }

  private async windowOf(plan: RestorePlan): Promise<Window> {
    const windows = coverageOf(await this.holdings(await readStanza(this.program)));
    const found = windows.find(({ backup, timeline }) => backup.id === plan.backup?.id && timeline === plan.timeline);
    if (!found) throw new OutsideCoverageError(plan.target, windows.map(spanOf)); // expired meanwhile
    return found;
  }

  /** Where archive-get fails PostgreSQL takes it for the end of the log, and opens on a shorter history. */
  private async assertReplayed(cluster: RecoveredCluster, { segments }: Window): Promise<void> {
    const position = await replayedPosition(cluster.adminUrl());
    const last = segments.at(-1)!;
    if (position > startOf(last.number, this.archive.segmentBytes)) return;
    await cluster.finish();
    throw new RecoveryFailedError(
      `FATAL: the log was replayed to ${formatLsn(position)} only, ${last.name} was not reached`,
    );
  }

  private typeOfNext({ backups }: Stanza): 'full' | 'diff' {
    const full = backups.findLast(({ type }) => type === 'full');
    const isRecent = full && Date.now() - full.timestamp.start * 1000 < this.settings.fullEveryDays * DAY_MS;
    return isRecent ? 'diff' : 'full';
  }

  private async holdings(stanza: Stanza): Promise<Holdings<BaseBackup, ListedSegment>> {
    const { archiveId, backups } = stanza;
    return {
      segmentBytes: this.archive.segmentBytes,
      backups: backups.map(baseBackupOf),
      timelines: archiveId === undefined ? [] : await this.archive.readTimelines(archiveId),
    };
  }

  private async superfluousSegments(stanza: Stanza, expired: readonly BackupInfo[]): Promise<number> {
    const oldest = stanza.backups.find((backup) => backup.type === 'full' && !expired.includes(backup));
    if (!oldest) return 0;
    const { number: first } = segmentOfName(oldest.archive.start, this.archive.segmentBytes)!;
    const { timelines } = await this.holdings(stanza);
    return timelines.reduce((sum, { segments }) => sum + segments.filter(({ number }) => number < first).length, 0);
  }
}

/** Only the files: how far the log is replayed, and that the clone archives nothing, is written by recover(). */
async function restoreFiles(
  program: PgBackRest,
  id: string,
  directory: string,
  options: { onLine: (line: string) => void; signal: AbortSignal | undefined },
): Promise<void> {
  const here = [`--pg1-path=${directory}`, '--reset-pg1-host', '--no-delta'];
  const args = [`--set=${id}`, ...here, '--type=none', '--repo=1', '--log-level-console=detail'];
  try {
    await program.run('restore', args, options);
  } catch (error) {
    if (!(error instanceof PgBackRestError) || !DAMAGE.includes(error.code)) throw error;
    throw new BackupDamagedError(id, error.message, { cause: error });
  }
}

/** @throws StartupError when there is none */
function backupOf({ backups }: Stanza, id: string): BackupInfo {
  const found = backups.find(({ label }) => label === id);
  if (!found) throw new StartupError(`There is no backup ${id}.`);
  return found;
}

/** Adds up what pgBackRest says of each file; its percentages tell the whole. */
function progressOf(tell: ((doneBytes: number, totalBytes: number) => void) | undefined): (line: string) => void {
  let done = 0;
  return (line) => {
    const [, size, unit, percent] = FILE_DONE.exec(line) ?? [];
    if (!size || !unit) return;
    done += Number(size) * UNITS[unit]!;
    tell?.(done, Number(percent) > 0 ? Math.round((done / Number(percent)) * 100) : done);
  };
}
