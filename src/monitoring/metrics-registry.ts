import { Injectable } from '@nestjs/common';
import { Gauge, Registry } from 'prom-client';

/** Values of a gauge, each with its labels. */
export type Samples<Label extends string> = [labels: Partial<Record<Label, string>>, value: number][];

interface GaugeDefinition<Label extends string> {
  name: string;
  help: string;
  labels?: readonly Label[];
  /** Called at each scrape. Undefined or nothing: no series, since a 0 would be a claim. */
  read: () => Samples<Label> | undefined | Promise<Samples<Label> | undefined>;
}

/** The metrics of one application. (prom-client's global registry would mix those of two in a process.) */
@Injectable()
export class MetricsRegistry extends Registry {
  /** A gauge that is read when it is scraped. */
  readGauge<Label extends string = never>({ name, help, labels = [], read }: GaugeDefinition<Label>): void {
    new Gauge<Label>({
      name,
      help,
      labelNames: [...labels],
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
