import { setTimeout as sleep } from 'node:timers/promises';

/** What one request came to. */
export interface Outcome {
  kind: 'read' | 'write';
  /** 0: no answer at all. */
  status: number;
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

  private async work(kind: Outcome['kind']): Promise<void> {
    while (this.running) {
      const start = performance.now();
      const status = await this.request(kind).catch(() => 0);
      const at = performance.now();
      this.report.outcomes.push({ kind, status, ms: at - start, at });
      await sleep(PAUSE_MS);
    }
  }

  private async request(kind: Outcome['kind']): Promise<number> {
    const { baseUrl, tenantId, accessToken } = this.target;
    const url = `${baseUrl()}/v1/tenants/${tenantId}/roles`;
    const headers = { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(PATIENCE_MS);
    if (kind === 'read') {
      const response = await fetch(`${url}?limit=1`, { headers, signal });
      await response.arrayBuffer();
      return response.status;
    }
    const name = `load ${(this.made += 1)}`;
    const response = await fetch(url, {
      method: 'POST',
      headers,
      signal,
      body: JSON.stringify({ name, permissions: [] }),
    });
    await response.arrayBuffer();
    if (response.status === 201) this.report.acknowledged.push(name);
    return response.status;
  }
}

/** How often each status came. */
export function countStatuses(outcomes: readonly Outcome[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of outcomes) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}
