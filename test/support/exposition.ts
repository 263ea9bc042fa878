/** What Prometheus calls a time series, at one moment. */
export interface Sample {
  /** With `_bucket`, `_sum` or `_count` for a histogram. */
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** A metric with all its series. */
export interface Family {
  name: string;
  help: string;
  type: string;
  samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP_LINE = new RegExp(`^# HELP (${NAME}) (\\S.*)$`);
const TYPE_LINE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram|summary)$`);
const SAMPLE_LINE = new RegExp(
  `^(${NAME})(?:\\{(.*)\\})? (NaN|[+-]Inf|[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?)$`,
  'i',
);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;
const HISTOGRAM_PARTS = ['_bucket', '_sum', '_count'];

/**
 * Reads Prometheus' text format 0.0.4, and forgives nothing: each family has its HELP and TYPE, once and first; its series
 * stand together and once; counters are named `_total`; the buckets of a histogram add up.
 * @throws Error naming the line, or the metric
 */
export function parseExposition(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.');
  const families = new Map<string, Family>();
  const helps = new Map<string, string>();
  let current: Family | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [, helped, help] = HELP_LINE.exec(line) ?? [];
    const [, typed, type] = TYPE_LINE.exec(line) ?? [];
    if (helped !== undefined) {
      if (helps.has(helped)) throw new Error(`A second HELP: ${line}`);
      helps.set(helped, help!);
    } else if (typed !== undefined) {
      if (families.has(typed) || !helps.has(typed)) throw new Error(`A second TYPE, or one before its HELP: ${line}`);
      current = { name: typed, help: helps.get(typed)!, type: type!, samples: [] };
      families.set(typed, current);
    } else {
      const sample = readSample(line);
      if (!current || !belongs(sample.name, current)) throw new Error(`It is of another family: ${line}`);
      current.samples.push(sample);
    }
  }
  for (const family of families.values()) check(family);
  return families;
}

/** A series' name with its labels in order: equal for equal series. */
export function seriesOf({ name, labels }: Sample): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return `${name}{${pairs.toSorted().join(',')}}`;
}

function readSample(line: string): Sample {
  const [, name, written = '', value] = SAMPLE_LINE.exec(line) ?? [];
  if (name === undefined) throw new Error(`Neither a comment nor a sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < written.length) {
    const [, label, text] = LABEL.exec(written) ?? [];
    if (label === undefined || label in labels) throw new Error(`Its labels cannot be read: ${line}`);
    labels[label] = text!.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  return { name, labels, value: Number(value!.replace(/inf$/i, 'Infinity')) };
}

function belongs(sample: string, { name, type }: Family): boolean {
  return type === 'histogram' ? HISTOGRAM_PARTS.some((part) => sample === name + part) : sample === name;
}

function check(family: Family): void {
  const { name, type, samples } = family;
  const series = samples.map(seriesOf);
  const second = series.find((one, index) => series.indexOf(one) !== index);
  if (second !== undefined) throw new Error(`Twice: ${second}`);
  if (type === 'counter' && !name.endsWith('_total')) throw new Error(`A counter that is not named _total: ${name}`);
  if (type === 'counter' && samples.some(({ value }) => !(value >= 0))) throw new Error(`A negative counter: ${name}`);
  if (type === 'histogram') checkHistogram(family);
}

function checkHistogram({ name, samples }: Family): void {
  const parts = new Map<string, { buckets: [bound: number, count: number][]; sum?: number; count?: number }>();
  for (const sample of samples) {
    const { le, ...labels } = sample.labels;
    const key = seriesOf({ ...sample, name, labels });
    const part = parts.get(key) ?? { buckets: [] };
    parts.set(key, part);
    if (sample.name.endsWith('_bucket')) part.buckets.push([Number(le!.replace('Inf', 'Infinity')), sample.value]);
    else part[sample.name.endsWith('_sum') ? 'sum' : 'count'] = sample.value;
  }
  for (const [key, { buckets, sum, count }] of parts) {
    const isRising = buckets.every(
      ([bound, number], index) => index === 0 || (bound > buckets[index - 1]![0] && number >= buckets[index - 1]![1]),
    );
    const [lastBound, lastCount] = buckets.at(-1) ?? [];
    if (!isRising || lastBound !== Infinity || lastCount !== count || sum === undefined)
      throw new Error(`Its buckets do not add up: ${key}`);
  }
}
