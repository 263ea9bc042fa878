import type { Account } from '../database/unprivileged-account';

export type EngineName = 'native' | 'pgbackrest' | 'external';

/** A base backup, as every engine can tell of it. */
export interface BackupSummary {
  id: string;
  startedAt: Date;
  finishedAt: Date;
  /** Of PostgreSQL: 18 of 18.4 */
  serverMajor: number;
  /** On which it was taken. */
  timeline: number;
  /** Of the cluster, before compression. */
  clusterBytes: number;
  /** In the repository. */
  storedBytes: number;
}

/** Times that can be restored to: from one base backup, along one timeline. */
export interface CoverageSpan {
  backupId: string;
  timeline: number;
  from: Date;
  to: Date;
  /** The first piece of the log that is missing although later ones are there; undefined: none is. */
  gap: string | undefined;
}

export type Moment =
  | { kind: 'time'; at: Date }
  | { kind: 'latest' }
  /** A restore point (restore-points.ts). */
  | { kind: 'point'; name: string };

/** What is to be restored. */
export interface RestoreTarget {
  moment: Moment;
  /** From this base backup; undefined: from the best one. */
  backupId?: string | undefined;
}

export interface RetentionRules {
  /** So many of the newest backups are kept, however old they are. At least 1. */
  keep: number;
  /** Any moment of so many days can be restored to. */
  days: number;
}

/** How an engine will do it; made by planRestore(). */
export interface RestorePlan {
  target: RestoreTarget;
  /** Undefined: the provider's own (external). */
  backup: BackupSummary | undefined;
  timeline: number;
  /** Where that timeline and those before it have left their own forerunners, the first one first. */
  history: readonly { timeline: number; until: bigint }[];
  /** The moment that the log is replayed to; for `latest`, the last commit that is known to be stored. */
  until: Date;
  /** PostgreSQL's; the programs that run the restored cluster must be of the same. */
  serverMajor: number;
  /** Of the log that is laid beside the cluster before it is replayed; undefined: it comes piece by piece. */
  logBytes?: number | undefined;
  /** For `latest`: the first piece of the log that is missing although later ones are there; what came after it is lost. */
  gap?: string | undefined;
}

export type MaterializeStep = 'files' | 'log' | 'replay';

export interface MaterializeOptions {
  /** The new data directory (PGDATA). It must not exist. An engine without files of its own ignores it. */
  directory: string;
  /** Who will own it and run servers on it; undefined: as for any new cluster. */
  account?: Account | undefined;
  /** `done` and `total` are bytes of `files` and `log`, steps of `replay`. */
  onProgress?: ((step: MaterializeStep, done: number, total: number) => void) | undefined;
  /** Looks at the cluster, read only, when replay has come to this restore point, and then lets it go on. */
  inspection?: { point: string; look: (cluster: Pick<RecoveredCluster, 'adminUrl'>) => Promise<void> } | undefined;
  /** Thrown away afterwards, and beside a server that serves: not flushed to the disk, and last in turn for the processor. */
  isScratch?: boolean | undefined;
  /** Ends it; what was made is removed. */
  signal?: AbortSignal | undefined;
}

/** A cluster brought back to a moment, open to this process alone, as its superuser. */
export interface RecoveredCluster {
  readonly adminUrl: (database?: string) => string;
  /** Its data directory; undefined: it is not ours (external). */
  readonly directory: string | undefined;
  /** Stops its server; what stays in `directory` is an ordinary data directory. */
  finish(): Promise<void>;
  /** Stops its server and removes its directory. */
  discard(): Promise<void>;
}

/**
 * The seam: how backups are taken and a moment is brought back. What stands above it (jobs, catalogue, verification, drill, the
 * restore of a cluster or of one tenant, metrics, command line) is the same for each engine.
 */
export interface BackupEngine {
  readonly name: EngineName;
  /** For messages: where backups lie, without a secret. */
  readonly place: string;
  /** @throws NotOfThisEngineError where the provider does it (external) */
  createBackup(options: {
    checkpoint: 'fast' | 'spread';
    onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
    /** Ends it; what was stored of it is removed. */
    signal?: AbortSignal | undefined;
  }): Promise<BackupSummary>;
  /** Has the log stored up to now; undefined: the server archives it in its own time. @throws Error the server's or the repository's */
  storeLog?(signal?: AbortSignal): Promise<void>;
  /** Every whole one, the oldest first. */
  listBackups(): Promise<BackupSummary[]>;
  /** Those that are there and cannot be restored from, each with the reason; where the engine cannot tell by a glance, none. */
  damagedBackups?(): Promise<readonly Error[]>;
  /** The oldest first. */
  coverage(): Promise<CoverageSpan[]>;
  /** The first piece of the log that a backup itself needs, and that is missing; undefined: none is, or there is no such backup. */
  missingLogOf?(id: string): Promise<string | undefined>;
  /** Reads it to the last byte. @throws BackupDamagedError */
  verifyBackup(id: string, onProgress?: (doneBytes: number, totalBytes: number) => void): Promise<void>;
  /**
   * Removes what nothing needs any more.
   * @param isProtected a backup of which this is true is kept, whatever the rules say
   * @returns the ids of the backups and the number of other files that were, or would be, removed
   */
  prune(
    rules: RetentionRules,
    options: { dryRun: boolean; isProtected?: (backup: BackupSummary) => boolean },
  ): Promise<{ backups: string[]; files: number }>;
  /** @throws OutsideCoverageError, with the spans that there are */
  planRestore(target: RestoreTarget): Promise<RestorePlan>;
  /**
   * Brings the moment back. Where it fails nothing is left.
   * @throws StartupError when PostgreSQL's programs are of another version; BackupDamagedError; RecoveryFailedError
   */
  materialize(plan: RestorePlan, options: MaterializeOptions): Promise<RecoveredCluster>;
}

/** The engine cannot do this, since somebody else does. The message says who. */
export class NotOfThisEngineError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'NotOfThisEngineError';
  }
}

/** A backup that is not what was taken. The message names the file and what is wrong with it. */
export class BackupDamagedError extends Error {
  constructor(id: string, reason: string, options?: ErrorOptions) {
    super(`The backup ${id} is damaged: ${reason}`, options);
    this.name = 'BackupDamagedError';
  }
}

/** Nothing in the repository leads to this moment. PostgreSQL itself would promote at the backup's end, and say nothing. */
export class OutsideCoverageError extends Error {
  constructor(
    { moment, backupId }: RestoreTarget,
    readonly spans: readonly CoverageSpan[],
  ) {
    const list = spans.map(
      (span) =>
        `  ${span.from.toISOString()} … ${span.to.toISOString()} (backup ${span.backupId}, timeline ${span.timeline})`,
    );
    const from = backupId === undefined ? '' : ` from the backup ${backupId}`;
    const what =
      moment.kind === 'time'
        ? `${moment.at.toISOString()} cannot be restored to${from}.`
        : moment.kind === 'point'
          ? `The restore point ${moment.name} cannot be restored to${from}.`
          : `Nothing can be restored${from}.`;
    super(list.length > 0 ? `${what} What can:\n${list.join('\n')}` : `${what} There is no base backup with its log.`);
    this.name = 'OutsideCoverageError';
  }
}
