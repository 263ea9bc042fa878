import cluster, { type Worker } from 'node:cluster';
import { workerVariables } from '../config/worker-number';
import type { BootstrappedAdministrator } from '../auth/bootstrap-administrator';
import type { MeasuredWorker, WorkerReading } from './instance-metrics';
import type { Assignment, ToPrimary, ToWorker } from './messages';
import { closeUntakenConnections } from './untaken-connections';

/** A worker that is busier than this, in milliseconds, is left out of a scrape. */
const COLLECT_TIMEOUT_MS = 3_000;

/** What a worker says once it listens. */
export interface Started {
  url: string;
  administrator: BootstrappedAdministrator | undefined;
}

/** One worker, as its primary sees it. */
export class WorkerProcess implements MeasuredWorker {
  /** Rejects with the reason, in words, when it ends before. */
  readonly started: Promise<Started>;
  /** Resolves with how it ended, in words. */
  readonly ended: Promise<string>;
  /** Since when it serves (performance.now()); undefined: it does not yet. */
  servingSince: number | undefined;

  private readonly worker: Worker;
  private readonly questions = new Map<number, (reading: WorkerReading | undefined) => void>();
  private asked = 0;
  private failure: string | undefined;

  /**
   * @param number from 1 on; who replaces another has its number
   * @param readMetrics of the whole instance
   */
  constructor(
    readonly number: number,
    assignment: Assignment,
    private readonly readMetrics: () => Promise<string>,
  ) {
    this.worker = cluster.fork(workerVariables(number));
    closeUntakenConnections(this.worker);
    this.ended = new Promise((resolve) => {
      this.worker.once('exit', (code: number, signal: string | null) => {
        for (const answer of this.questions.values()) answer(undefined);
        resolve(signal ? `ended by ${signal}` : `ended with code ${code}`);
      });
    });
    this.started = new Promise((resolve, reject) => {
      this.worker.on('message', (message: ToPrimary) => this.take(message, resolve));
      void this.ended.then((how) => reject(new Error(this.failure ?? `Worker ${number} ${how} before it served.`)));
    });
    this.started.catch(() => undefined); // whoever waits for it is told; nobody may wait any more
    this.send({ kind: 'serve', ...assignment });
  }

  get pid(): number | undefined {
    return this.worker.process.pid;
  }

  /** Asks it to finish what is under way and end, as anybody may. */
  stop(): void {
    this.worker.process.kill('SIGTERM');
  }

  kill(): void {
    this.worker.process.kill('SIGKILL');
  }

  collect(shared: boolean): Promise<WorkerReading | undefined> {
    const id = (this.asked += 1);
    return new Promise((resolve) => {
      const timer = setTimeout(() => answer(undefined), COLLECT_TIMEOUT_MS);
      const answer = (reading: WorkerReading | undefined): void => {
        clearTimeout(timer);
        this.questions.delete(id);
        resolve(reading);
      };
      this.questions.set(id, answer);
      this.send({ kind: 'collect', id, shared });
    });
  }

  private take(message: ToPrimary, serves: (started: Started) => void): void {
    switch (message.kind) {
      case 'serving':
        this.servingSince = performance.now();
        serves(message);
        break;
      case 'failed':
        this.failure = message.reason;
        break;
      case 'collected':
        this.questions.get(message.id)?.(message);
        break;
      case 'readMetrics':
        void this.readMetrics()
          .catch(() => undefined)
          .then((text) => this.send({ kind: 'metrics', id: message.id, text }));
        break;
    }
  }

  /** To one that has just ended nothing can be said, and need not be. */
  private send(message: ToWorker): void {
    if (this.worker.isConnected()) this.worker.send(message, undefined, () => undefined);
  }
}
