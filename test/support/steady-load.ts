import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** What one request came to. */
export interface Outcome {
  kind: 'read' | 'write';
  /** 0: no answer at all. */
  status: number;
  /** Of the problem, or of what kept the answer from coming. */
  code: string | undefined;
  ms: number;
  /** When it ended, as performance.now() has it. */
  at: number;
}

export interface LoadReport {
  outcomes: Outcome[];
  /** Names of the roles whose making was acknowledged. */
  acknowledged: string[];
}

interface Target {
  /** Asked anew for each request, so that it may move. */
  baseUrl: () => string;
  tenantId: string;
  accessToken: string;
}

const WORKERS = 6;
const PAUSE_MS = 5;
/** No answer by then counts as none. */
const PATIENCE_MS = 30_000;

/** Reads and writes without end, and remembers what callers saw. */
export class SteadyLoad {
  /** Another load in the same tenant makes other roles. */
  private readonly prefix = `load ${randomBytes(4).toString('hex')}`;
  private running = true;
  private made = 0;
  private readonly report: LoadReport = { outcomes: [], acknowledged: [] };
  private readonly workers: Promise<void>[];

  constructor(private readonly target: Target) {
    this.workers = Array.from({ length: WORKERS }, (_, index) => this.work(index % 2 === 0 ? 'read' : 'write'));
  }

  async stop(): Promise<LoadReport> {
    this.running = false;
    await Promise.all(this.workers);
    return this.report;
  }

  /** Resolves when so many more writes have been acknowledged. @throws Error when that takes too long */
  async untilWritten(count: number): Promise<void> {
    const { acknowledged } = this.report;
    const goal = acknowledged.length + count;
    const deadline = performance.now() + PATIENCE_MS;
    while (acknowledged.length < goal) {
      if (performance.now() > deadline) throw new Error(`${goal - acknowledged.length} of ${count} writes not made`);
      await sleep(PAUSE_MS);
    }
  }

  private async work(kind: Outcome['kind']): Promise<void> {
    while (this.running) {
      const start = performance.now();
      const answer = await this.request(kind).catch((error: Error) => ({ status: 0, code: reasonOf(error) }));
      const at = performance.now();
      this.report.outcomes.push({ kind, ...answer, ms: at - start, at });
      await sleep(PAUSE_MS);
    }
  }

  private async request(kind: Outcome['kind']): Promise<Pick<Outcome, 'status' | 'code'>> {
    const { baseUrl, tenantId, accessToken } = this.target;
    const url = `${baseUrl()}/v1/tenants/${tenantId}/roles`;
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    if (kind === 'read') return answerOf(await fetch(`${url}?limit=1`, { headers, signal }));
    const name = `${this.prefix} ${(this.made += 1)}`;
    const body = JSON.stringify({ name, permissions: [] });
    const answer = await answerOf(await fetch(url, { method: 'POST', headers, signal, body }));
    if (answer.status === 201) this.report.acknowledged.push(name);
    return answer;
  }
}

/** How often each status came. */
export function countStatuses(outcomes: readonly Outcome[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of outcomes) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Those that came to something else than `statuses`: for messages that name what went wrong. */
export function unexpected(outcomes: readonly Outcome[], statuses: readonly number[]): Outcome[] {
  return outcomes.filter(({ status }) => !statuses.includes(status));
}

/** The longest that anybody waited, in milliseconds. */
export const longest = (outcomes: readonly Outcome[]): number => Math.max(...outcomes.map(({ ms }) => ms));

async function answerOf(response: Response): Promise<Pick<Outcome, 'status' | 'code'>> {
  const text = await response.text();
  return { status: response.status, code: response.ok ? undefined : (JSON.parse(text) as { code: string }).code };
}

/** fetch says "fetch failed", and why in its cause. */
function reasonOf(error: Error): string {
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return code ?? message;
}
