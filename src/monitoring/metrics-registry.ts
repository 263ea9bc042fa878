import { Injectable } from '@nestjs/common';
import { type Aggregator, Gauge, Registry } from 'prom-client';

/** Values of a gauge, each with its labels. */
export type Samples<Label extends string> = [labels: Partial<Record<Label, string>>, value: number][];

interface GaugeDefinition<Label extends string> {
  name: string;
  help: string;
  labels?: readonly Label[];
  /** Called at each scrape. Undefined or nothing: no series, since a 0 would be a claim. */
  read: () => Samples<Label> | undefined | Promise<Samples<Label> | undefined>;
  /** What the values of several workers are together (src/workers/instance-metrics.ts): their sum, unless given. */
  together?: Aggregator;
}

/** The metrics of one application. (prom-client's global registry would mix those of two in a process.) */
@Injectable()
export class MetricsRegistry extends Registry {
  /** A gauge that is read when it is scraped. */
  readGauge<Label extends string = never>({
    name,
    help,
    labels = [],
    read,
    together = 'sum',
  }: GaugeDefinition<Label>): void {
    new Gauge<Label>({
      name,
      help,
      labelNames: [...labels],
      aggregator: together,
      registers: [this],
      async collect() {
        const samples = (await read()) ?? [];
        this.reset();
        if (labels.length === 0) this.remove(); // reset() leaves a 0 there
        for (const [values, value] of samples) this.set(values, value);
      },
    });
  }
}

/** The metrics that every process of every instance tells alike, since it has them from the database: one of them is asked. */
@Injectable()
export class SharedMetricsRegistry extends MetricsRegistry {}
