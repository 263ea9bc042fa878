import { AggregatorRegistry, type Aggregator } from 'prom-client';
import type { MetricReading } from '../monitoring/metrics.service';
import { processRegistry } from '../monitoring/process-metrics';

/** What a worker has told. */
export interface WorkerReading {
  own: MetricReading[];
  /** Empty unless it was asked for them. */
  shared: MetricReading[];
}

/** A worker, as far as its metrics go. */
export interface MeasuredWorker {
  /** @returns undefined when it does not answer in time */
  collect(shared: boolean): Promise<WorkerReading | undefined>;
}

/** Of several processes prom-client would take the mean, which hides the one that stands still, or nothing. */
const TOGETHER: Readonly<Record<string, Aggregator>> = {
  process_start_time_seconds: 'min',
  nodejs_eventloop_lag_seconds: 'max',
  nodejs_eventloop_lag_mean_seconds: 'max',
  nodejs_eventloop_lag_stddev_seconds: 'max',
  nodejs_eventloop_lag_p50_seconds: 'max',
  nodejs_eventloop_lag_p90_seconds: 'max',
  nodejs_eventloop_lag_p99_seconds: 'max',
};
/** What counts up: it must not fall when a worker ends, or whoever computes rates takes that for a new beginning. */
const COUNTING = new Set(['counter', 'histogram', 'summary']);

/** The metrics of an instance with several workers: theirs put together, and the primary's own memory and processor time with them. */
export class InstanceMetrics {
  private readonly latest = new Map<MeasuredWorker, MetricReading[]>();
  /** What workers had counted that are gone. */
  private departed: Promise<MetricReading[]> = Promise.resolve([]);

  /** @param workers that serve now */
  constructor(private readonly workers: () => readonly MeasuredWorker[]) {}

  /** In Prometheus' text format. Of a worker that does not answer, what it said last. */
  async read(): Promise<string> {
    const readings = await Promise.all(this.workers().map((worker, index) => this.ask(worker, index === 0)));
    const primary = await processRegistry().getMetricsAsJSON();
    const own = [...this.latest.values(), await this.departed, primary];
    const shared = readings.map((reading) => reading?.shared ?? []);
    return AggregatorRegistry.aggregate([...own, ...shared].map(withAggregators)).metrics();
  }

  /** Keeps what a worker that has ended had counted, as far as that was read. */
  leave(worker: MeasuredWorker): void {
    const last = this.latest.get(worker);
    this.latest.delete(worker);
    if (!last) return;
    const counted = last.filter(({ type }) => COUNTING.has(String(type)));
    this.departed = this.departed.then((before) => AggregatorRegistry.aggregate([before, counted]).getMetricsAsJSON());
  }

  private async ask(worker: MeasuredWorker, shared: boolean): Promise<WorkerReading | undefined> {
    const reading = await worker.collect(shared);
    if (reading && this.workers().includes(worker)) this.latest.set(worker, reading.own);
    return reading;
  }
}

function withAggregators(readings: readonly MetricReading[]): MetricReading[] {
  return readings.map((reading) => ({ ...reading, aggregator: TOGETHER[reading.name] ?? reading.aggregator }));
}
