import type { Registry } from 'prom-client';

/** What prom-client has of a metric and its types do not tell. */
interface Definition {
  name: string;
  help: string;
  type: string;
  labelNames: readonly string[];
}

/** Every metric of these registries, by name. */
export function definitionsIn(registries: readonly Registry[]): Definition[] {
  return registries
    .flatMap((registry) => registry.getMetricsAsArray() as unknown as Definition[])
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The table of docs/monitoring.md: every metric with its labels and its meaning. */
export function metricsTable(registries: readonly Registry[]): string {
  const rows = definitionsIn(registries).map(({ name, type, labelNames, help }) => [
    `\`${name}\``,
    type,
    labelNames.map((label) => `\`${label}\``).join(' '),
    help.replaceAll('|', String.raw`\|`),
  ]);
  return [['Metric', 'Type', 'Labels', 'Meaning'], ['---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
