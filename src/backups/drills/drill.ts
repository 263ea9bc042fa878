import path from 'node:path';
import { newId } from '../../common/id';
import {
  DATA_CHECKS,
  type Finding,
  SERVING_CHECKS,
  tenantryDatabases,
  verifyCluster,
} from '../../database/cluster-verification';
import { lastReplayedCommit } from '../../database/last-replayed-commit';
import { applyMigrations, migrationStateOf } from '../../database/migrations';
import { renewLogins } from '../../database/restored-logins';
import { failureOf, INSTANCE } from '../backup-job';
import { type BackupEngine, BackupDamagedError, type RecoveredCluster, type RestorePlan } from '../engine';
import type { SealedNotes } from '../repository/sealed-notes';
import { ownerUrlOf } from '../recovered-cluster';
import { RestoringDirectory } from '../restoring-directory';
import { compareWithPoint, type Comparison, passesPoint, readVerificationPoint } from '../verification-point';
import { type DrillDetails, type DrillPhase, type DrillReport, MAX_LISTED, Stopwatch } from './drill-report';

export interface DrillOptions {
  engine: BackupEngine;
  /** Of its repository: verification points. */
  notes: SealedNotes;
  /** Cluster and log lie below this one for as long as the drill lasts. */
  scratch: string;
  /** Undefined: the newest. */
  backupId?: string | undefined;
  onPhase?: ((phase: DrillPhase, done?: number, total?: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Checks that tell of damage in what is stored. */
const DAMAGE: readonly string[] = ['indexes', 'tables', 'checksums'];
/** The log, too, must find room. */
const ROOM_FACTOR = 1.2;

/**
 * A restore for practice: brings a backup back in a scratch directory, holds it against its verification point on the way, replays
 * the log to its end, verifies, applies what migrations it lacks, verifies again, and removes all of it. What serves is not touched.
 * @returns what it has shown, also where it failed
 * @throws what `signal` was aborted with; BusyError while another drill is at work in the same directory
 */
export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const drill = new Drill(options);
  return drill.run();
}

class Drill {
  private readonly startedAt = new Date();
  private readonly watch = new Stopwatch();
  private readonly details: DrillDetails;
  private plan: RestorePlan | undefined;
  private replayedTo: Date | undefined;
  private comparison: Comparison | undefined;
  private rtoSeconds: number | null = null;
  private wasVerified = false;
  private damagedFiles = 0;

  constructor(private readonly options: DrillOptions) {
    this.details = { mismatches: [], findings: [], migrations: [], error: null, seconds: this.watch.seconds };
  }

  async run(): Promise<DrillReport> {
    const { engine, backupId, scratch, signal } = this.options;
    const begun = performance.now();
    const place = await RestoringDirectory.prepare(path.join(scratch, 'drill'), 0); // also takes away what was left by others
    try {
      this.plan = await engine.planRestore({ moment: { kind: 'latest' }, backupId });
      const room = (this.plan.backup?.clusterBytes ?? 0) * ROOM_FACTOR;
      await RestoringDirectory.prepare(place.target, room);
      const cluster = await this.materialize(this.plan, place.path);
      const discard = (): void => void cluster.discard().catch(() => undefined); // what is asked of it fails
      signal?.addEventListener('abort', discard, { once: true });
      try {
        this.replayedTo = await lastReplayedCommit(cluster.adminUrl());
        await this.verify(cluster);
        this.rtoSeconds = (performance.now() - begun) / 1000;
      } finally {
        signal?.removeEventListener('abort', discard);
        await cluster.discard();
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof BackupDamagedError) this.damagedFiles = 1;
      this.details.error = failureOf(error);
    }
    this.watch.end();
    return this.report();
  }

  private async materialize(plan: RestorePlan, directory: string): Promise<RecoveredCluster> {
    const { engine, notes, signal, onPhase } = this.options;
    const point = plan.backup && (await readVerificationPoint(notes, plan.backup.id));
    this.begin('files');
    return engine.materialize(plan, {
      directory,
      isScratch: true,
      signal,
      onProgress: (phase, done, total) => {
        this.watch.begin(phase);
        onPhase?.(phase, done, total);
      },
      // The log that is stored may not lead to it yet.
      ...(point &&
        passesPoint(plan, point) && {
          inspection: {
            point: point.name,
            look: async (cluster) => {
              this.begin('compare');
              this.comparison = await compareWithPoint(cluster, point);
              this.begin('replay');
            },
          },
        }),
    });
  }

  private async verify(cluster: RecoveredCluster): Promise<void> {
    const { adminUrl } = cluster;
    const { findings, migrations } = this.details;
    this.begin('verify');
    findings.push(...(await verifyCluster(adminUrl, DATA_CHECKS)));
    this.wasVerified = true;
    this.begin('migrate');
    const databases = await tenantryDatabases(adminUrl);
    await renewLogins(adminUrl, databases, {}); // later migrations name logins that there may not have been then
    for (const database of databases) {
      const owner = ownerUrlOf(cluster, database);
      migrations.push(...(await migrationStateOf(owner)).pending);
      await applyMigrations(owner);
    }
    this.begin('verify-again');
    const known = new Set(findings.map(textOf));
    const again = await verifyCluster(adminUrl, SERVING_CHECKS);
    findings.push(...again.filter((finding) => !known.has(textOf(finding))));
  }

  private begin(phase: DrillPhase): void {
    this.options.signal?.throwIfAborted();
    this.watch.begin(phase);
    this.options.onPhase?.(phase);
  }

  private report(): DrillReport {
    const { details, comparison, startedAt, replayedTo } = this;
    const { findings, error } = details;
    details.mismatches = (comparison?.mismatches ?? []).slice(0, MAX_LISTED);
    const isSound = error === null && findings.length === 0 && details.mismatches.length === 0;
    return {
      id: newId(),
      status: isSound ? 'succeeded' : 'failed',
      startedAt,
      finishedAt: new Date(),
      engine: this.options.engine.name,
      instance: INSTANCE,
      backupId: this.plan?.backup?.id ?? this.options.backupId ?? null,
      replayedTo: replayedTo ?? null,
      rtoSeconds: this.rtoSeconds,
      rpoSeconds: replayedTo ? Math.max(0, startedAt.getTime() - replayedTo.getTime()) / 1000 : null,
      comparedEntries: comparison?.entries ?? null,
      mismatchedEntries: comparison?.mismatches.length ?? null,
      corruptObjects:
        this.wasVerified || this.damagedFiles > 0
          ? this.damagedFiles + findings.filter(({ check }) => DAMAGE.includes(check)).length
          : null,
      report: details,
    };
  }
}

const textOf = ({ check, database, problem }: Finding): string => `${check} ${database} ${problem}`;
