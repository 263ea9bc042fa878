import { Env } from '../../src/config/env';
import type { ApiClient } from './api-client';
import type { TestApp } from './app';
import { type Family, parseExposition, type Sample, seriesOf } from './exposition';

type Labels = Readonly<Record<string, string>>;

/** A caller with METRICS_TOKEN. */
export function scraperOf(app: TestApp): ApiClient {
  return app.anonymous().with({ authorization: `Bearer ${app.nest.get(Env).METRICS_TOKEN}` });
}

export async function scrape(app: TestApp): Promise<Scrape> {
  const { body } = await scraperOf(app).get<string>('/metrics').expect(200);
  return new Scrape(body);
}

/** What `/metrics` said at one moment. */
export class Scrape {
  readonly families: ReadonlyMap<string, Family>;

  /** @throws Error when it is not strictly in Prometheus' text format */
  constructor(readonly text: string) {
    this.families = parseExposition(text);
  }

  get samples(): Sample[] {
    return [...this.families.values()].flatMap(({ samples }) => samples);
  }

  /** Of every sample, its name and labels. */
  get series(): string[] {
    return this.samples.map(seriesOf);
  }

  /** The samples of this name that have at least these labels. */
  find(name: string, labels: Labels = {}): Sample[] {
    return this.samples.filter(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** Of the one sample of this name with these labels; undefined when there is none. */
  value(name: string, labels: Labels = {}): number | undefined {
    const found = this.find(name, labels);
    if (found.length > 1) throw new Error(`${found.length} series of ${name} have ${JSON.stringify(labels)}`);
    return found[0]?.value;
  }

  /** By how much each series of this name has grown since `earlier`, by its labels' values; those that have not are left out. */
  growthSince(earlier: Scrape, name: string): Record<string, number> {
    const before = new Map(earlier.find(name).map((sample) => [seriesOf(sample), sample.value]));
    const grown = this.find(name)
      .map((sample) => [wordsOf(sample), sample.value - (before.get(seriesOf(sample)) ?? 0)] as const)
      .filter(([, growth]) => growth !== 0);
    return Object.fromEntries(grown);
  }
}

function wordsOf({ labels }: Sample): string {
  return Object.values(labels).join(' ');
}
