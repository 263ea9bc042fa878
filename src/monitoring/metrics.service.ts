import { Injectable } from '@nestjs/common';
import { type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client';
import { MetricsRegistry, SharedMetricsRegistry } from './metrics-registry';
import { processRegistry } from './process-metrics';

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** A metric as one process has it, in a form that can be sent to another. */
export type MetricReading = MetricObjectWithValues<MetricValue<string>>;

/** Everything that is measured, in Prometheus' text format. */
@Injectable()
export class MetricsService {
  private readInstance: (() => Promise<string>) | undefined;

  constructor(
    private readonly own: MetricsRegistry,
    private readonly shared: SharedMetricsRegistry,
  ) {}

  /** What the database does not answer in time is left out; what the process knows is always there. */
  async read(): Promise<string> {
    if (this.readInstance) return this.readInstance();
    const texts = await Promise.all([this.own.metrics(), this.shared.metrics(), processRegistry().metrics()]);
    return texts.join('');
  }

  /** Of one of several workers: whoever asks it wants to know of all of them. */
  readThrough(readInstance: () => Promise<string>): void {
    this.readInstance = readInstance;
  }

  /** What this process alone knows. */
  async readOwn(): Promise<MetricReading[]> {
    const readings = await Promise.all([this.own.getMetricsAsJSON(), processRegistry().getMetricsAsJSON()]);
    return readings.flat();
  }

  /** What each process would tell alike. */
  readShared(): Promise<MetricReading[]> {
    return this.shared.getMetricsAsJSON();
  }
}
