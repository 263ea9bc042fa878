import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { StartupError } from '../common/errors';
import type { Env } from '../config/env';
import { MetricsRegistry, SharedMetricsRegistry } from '../monitoring/metrics-registry';
import { MetricsServer } from '../monitoring/metrics-server';
import { MetricsService } from '../monitoring/metrics.service';
import type { Serving } from '../serve';
import { InstanceMetrics } from './instance-metrics';
import type { Assignment } from './messages';
import { excessOf } from './pool-shares';
import { RestartPace } from './restart-pace';
import { type Started, WorkerProcess } from './worker-process';

/**
 * Serves a migrated database in WORKERS processes on one port; this one hands them the connections, and serves nothing.
 * @param onLost told when workers end again and again: the instance is of no use any more
 * @throws StartupError with the reason of the first worker that cannot start
 */
export async function serveByWorkers(
  env: Env,
  assignment: Assignment,
  onLost: (reason: StartupError) => void,
): Promise<Serving> {
  const primary = new Primary(env, assignment, onLost);
  try {
    return await primary.start();
  } catch (error) {
    await primary.stop();
    throw error;
  }
}

class Primary {
  private readonly logger = new Logger('Workers');
  private readonly workers = new Set<WorkerProcess>();
  private readonly pace = new RestartPace();
  private readonly stopping = new AbortController();
  private readonly metrics = new InstanceMetrics(() => [...this.workers].filter((worker) => worker.servingSince));
  private readonly metricsServer: MetricsServer;
  private isUp = false;

  constructor(
    private readonly env: Env,
    private readonly assignment: Assignment,
    private readonly onLost: (reason: StartupError) => void,
  ) {
    const metrics = new MetricsService(new MetricsRegistry(), new SharedMetricsRegistry());
    metrics.readThrough(() => this.metrics.read());
    this.metricsServer = new MetricsServer(env, metrics);
    // However this process ends, but by SIGKILL: then they notice that it is gone (process.on('disconnect')).
    process.once('exit', () => {
      for (const worker of this.workers) worker.kill();
    });
  }

  /** The first alone: what is wrong with all of them is said once, and what is made once is made by one. */
  async start(): Promise<Serving> {
    for (const excess of excessOf(this.env)) this.logger.warn(excess);
    await this.metricsServer.listen();
    const { url, administrator } = await this.startOne(1);
    const others = Array.from({ length: this.env.WORKERS - 1 }, (_, index) => index + 2);
    await Promise.all(others.map((number) => this.startOne(number)));
    this.isUp = true;
    return { url, administrator, metricsPort: this.metricsServer.port, stop: () => this.stop() };
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    for (const worker of this.workers) worker.stop();
    await Promise.all([...this.workers].map(({ ended }) => ended));
    this.metricsServer.close();
  }

  private async startOne(number: number): Promise<Started> {
    const worker = new WorkerProcess(number, this.assignment, () => this.metrics.read());
    this.workers.add(worker);
    void worker.ended.then((how) => this.takeLeave(worker, how));
    try {
      return await worker.started;
    } catch (error) {
      throw new StartupError((error as Error).message);
    }
  }

  private async takeLeave(worker: WorkerProcess, how: string): Promise<void> {
    const servedMs = worker.servingSince === undefined ? 0 : performance.now() - worker.servingSince;
    this.workers.delete(worker);
    this.metrics.leave(worker);
    const hasServed = worker.servingSince !== undefined;
    if ((this.isUp || hasServed) && !this.stopping.signal.aborted) await this.replace(worker, servedMs, how);
  }

  private async replace({ number, pid }: WorkerProcess, servedMs: number, how: string): Promise<void> {
    const pauseMs = this.pace.pauseAfter(servedMs);
    const what = `Worker ${number} (process ${pid}) ${how}`;
    if (pauseMs === undefined) {
      this.onLost(new StartupError(`${what}. Workers end again and again: the instance stops.`));
      return;
    }
    this.logger.warn(`${what}; another takes its place ${pauseMs === 0 ? 'now' : `in ${pauseMs / 1000} s`}.`);
    try {
      await sleep(pauseMs, undefined, { signal: this.stopping.signal });
      await this.startOne(number);
      this.logger.log(`Worker ${number} serves again.`);
    } catch (error) {
      // Its end is judged by takeLeave(), as every other.
      if (!this.stopping.signal.aborted) this.logger.warn(`Worker ${number} cannot start: ${(error as Error).message}`);
    }
  }
}
