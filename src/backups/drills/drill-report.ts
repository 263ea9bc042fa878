import type { Finding } from '../../database/cluster-verification';
import type { Mismatch } from '../verification-point';

/** What a drill has shown; the columns of ops.restore_drills (docs/database-schema.md). */
export interface DrillReport {
  id: string;
  status: 'succeeded' | 'failed';
  startedAt: Date;
  finishedAt: Date;
  engine: string;
  /** The host and process that made it. */
  instance: string;
  backupId: string | null;
  /** The last commit that came back. */
  replayedTo: Date | null;
  /** From the decision to restore to a verified, migrated cluster. */
  rtoSeconds: number | null;
  /** Had the server been lost when the drill began, what was written in so many seconds before would be lost, too. */
  rpoSeconds: number | null;
  /** Tables by tenant, held against the verification point; null: the backup has none, or it is not reached. */
  comparedEntries: number | null;
  mismatchedEntries: number | null;
  corruptObjects: number | null;
  report: DrillDetails;
}

export interface DrillDetails {
  /** The first MAX_LISTED of them. */
  mismatches: Mismatch[];
  findings: Finding[];
  /** Migrations that what was restored still lacked; they were applied. */
  migrations: string[];
  /** What stopped it. */
  error: string | null;
  seconds: Partial<Record<DrillPhase, number>>;
}

export const DRILL_PHASES = ['files', 'log', 'replay', 'compare', 'verify', 'migrate', 'verify-again'] as const;
export type DrillPhase = (typeof DRILL_PHASES)[number];

export const MAX_LISTED = 1_000;

/** Seconds by phase; a phase may come more than once. */
export class Stopwatch {
  readonly seconds: DrillDetails['seconds'] = {};
  private current: { phase: DrillPhase; since: number } | undefined;

  begin(phase: DrillPhase): void {
    if (this.current?.phase === phase) return;
    this.end();
    this.current = { phase, since: performance.now() };
  }

  end(): void {
    if (!this.current) return;
    const { phase, since } = this.current;
    this.seconds[phase] = (this.seconds[phase] ?? 0) + (performance.now() - since) / 1000;
    this.current = undefined;
  }
}
