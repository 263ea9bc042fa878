import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosStage } from './chaos';
import { countStatuses, longest, type LoadReport, type Outcome, SteadyLoad } from './steady-load';

const BEFORE_MS = 300;
const AFTER_MS = 500;
/** The promise: ready again so soon after the server's return. */
const READY_WITHIN_MS = 2_000;
const RETURN_WITHIN_MS = 20_000;

/** What callers saw of a fault, and what was lost. */
export interface FaultReport extends LoadReport {
  /** From the moment that the server took connections again. */
  readyAfterMs: number;
  /** Requests that began once it was ready again. */
  after: Outcome[];
  /** Acknowledged writes that the database does not have. */
  lost: string[];
}

/**
 * Steady load before, during and after a fault.
 * @param fault ends when the server, or the way to it, is about to return
 * @throws Error when the instance is not ready within two seconds of the server's return
 */
export async function underLoad(stage: ChaosStage, fault: () => Promise<void>): Promise<FaultReport> {
  const { tenantId, accessToken } = stage;
  const load = new SteadyLoad({ baseUrl: () => stage.url, tenantId, accessToken });
  let report: LoadReport;
  let readyAfterMs: number;
  let recoveredAt: number;
  try {
    await sleep(BEFORE_MS);
    await fault();
    await stage.untilAccepting(RETURN_WITHIN_MS);
    readyAfterMs = await stage.untilReady(READY_WITHIN_MS);
    recoveredAt = performance.now();
    await stage.starting;
    await sleep(AFTER_MS);
  } finally {
    report = await load.stop();
  }
  const after = report.outcomes.filter(({ at, ms }) => at - ms > recoveredAt);
  return { ...report, readyAfterMs, after, lost: await stage.lostOf(report) };
}

/** A line of the table in docs/operations.md, "Faults and what callers see". */
export function printFault(fault: string, { outcomes, lost, readyAfterMs }: FaultReport): void {
  const statuses = Object.entries(countStatuses(outcomes)).map(([status, count]) => `${status} × ${count}`);
  const cells = [fault, statuses.join(', '), seconds(longest(outcomes)), seconds(readyAfterMs), lost.length];
  process.stdout.write(`| ${cells.join(' | ')} |\n`);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
