import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosStage } from './chaos';
import { countStatuses, longest, type LoadReport, type Outcome, SteadyLoad } from './steady-load';

/** How many are made before the fault, and after. */
const WRITES = 10;
/** The promise: ready again so soon after the server's return. */
const READY_WITHIN_MS = 2_000;
const PROBE_INTERVAL_MS = 100;
const RETURN_WITHIN_MS = 20_000;

/** What callers saw of a fault, and what was lost. */
export interface FaultReport extends LoadReport {
  /** From the moment that the server took connections again. */
  readyAfterMs: number;
  /** Requests that began once it was ready again. */
  after: Outcome[];
  /** Acknowledged writes that the database does not have. */
  lost: string[];
  /** What /health/live said, all the time. */
  liveness: Set<number>;
}

/**
 * Steady load before, during and after a fault.
 * @param fault ends when the server, or the way to it, is about to return
 * @throws Error when the instance is not ready within two seconds of the server's return
 */
export async function underLoad(stage: ChaosStage, fault: (load: SteadyLoad) => Promise<void>): Promise<FaultReport> {
  const { tenantId, accessToken } = stage;
  const load = new SteadyLoad({ baseUrl: () => stage.url, tenantId, accessToken });
  const watch = watchLiveness(stage);
  let report: LoadReport;
  let readyAfterMs: number;
  let recoveredAt: number;
  try {
    await load.untilWritten(WRITES);
    await fault(load);
    await stage.untilAccepting(RETURN_WITHIN_MS);
    readyAfterMs = await stage.untilReady(READY_WITHIN_MS);
    recoveredAt = performance.now();
    await stage.starting;
    await load.untilWritten(WRITES);
  } finally {
    report = await load.stop();
    await watch.stop();
  }
  const after = report.outcomes.filter(({ at, ms }) => at - ms > recoveredAt);
  return { ...report, readyAfterMs, after, lost: await stage.lostOf(report), liveness: watch.seen };
}

function watchLiveness(stage: ChaosStage): { seen: Set<number>; stop(): Promise<void> } {
  const seen = new Set<number>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      seen.add(await stage.statusOf('/health/live').catch(() => 0));
      await sleep(PROBE_INTERVAL_MS);
    }
  })();
  return {
    seen,
    stop: () => {
      isOver = true;
      return watching;
    },
  };
}

/** What the table in docs/operations.md, "Faults and what callers see", has of a fault. */
export interface FaultRow {
  outcomes: readonly Outcome[];
  lost: readonly string[];
  /** Until requests succeeded again; undefined where they always did. */
  readyAfterMs?: number;
}

/** Prints a line of that table. */
export function printFault(fault: string, { outcomes, lost, readyAfterMs }: FaultRow): void {
  const statuses = Object.entries(countStatuses(outcomes)).map(([status, count]) => `${status} × ${count}`);
  const again = readyAfterMs === undefined ? '–' : seconds(readyAfterMs);
  const cells = [fault, statuses.join(', '), seconds(longest(outcomes)), again, lost.length];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
