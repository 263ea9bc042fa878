import { Injectable } from '@nestjs/common';
import { Registry } from 'prom-client';
import { MetricsRegistry } from './metrics-registry';
import { processRegistry } from './process-metrics';

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** Everything that is measured, in Prometheus' text format. */
@Injectable()
export class MetricsService {
  constructor(private readonly registry: MetricsRegistry) {}

  /** What the database does not answer in time is left out; what the process knows is always there. */
  async read(): Promise<string> {
    const [own, ofTheProcess] = await Promise.all([this.registry.metrics(), processRegistry().metrics()]);
    return own + ofTheProcess;
  }
}
