import { MetricsRegistry, SharedMetricsRegistry } from '../../src/monitoring/metrics-registry';
import { processRegistry } from '../../src/monitoring/process-metrics';
import { createTestApp, type TestApp } from '../support/app';
import { definitionsIn } from '../support/documents/metrics-table';
import { parseExposition } from '../support/exposition';
import { expressionsIn, readAlerts, readDashboard, readText } from '../support/monitoring-files';
import { groupingsIn, selectorsIn } from '../support/promql';
import { itWithPromtool, promtool } from '../support/promtool';
import { ROOT } from '../support/source-tree';
import { newTenant } from '../support/tenant';

const TOKEN = 'a-token-for-the-scrape-of-this-spec';
/** Prometheus makes these itself (manual, "Jobs and instances" and "Alerting rules"). */
const OF_PROMETHEUS = new Map([
  ['up', []],
  ['ALERTS', ['alertname', 'alertstate']],
]);
/** Prometheus adds them to every series. */
const OF_EVERY_SERIES = ['job', 'instance'];

/** Names that promtool would have otherwise, and that are not ours to choose. */
const ACCEPTED_NAMES = [
  /^db_client_connection_count /, // OpenTelemetry's
  /^nodejs_active_(handles|requests|resources)_total /, // prom-client's
];

describe('what Prometheus scrapes', () => {
  let app: TestApp;
  let text: string;
  /** By the name that a series has, the labels that it may have. */
  let series: Map<string, string[]>;

  beforeAll(async () => {
    app = await createTestApp({ METRICS_TOKEN: TOKEN });
    const { tenant, viewer } = await newTenant(app);
    await viewer.get(`/v1/tenants/${tenant.id}`).expect(200);
    await viewer.delete(`/v1/tenants/${tenant.id}`).expectProblem(403, 'permission_missing');
    const answer = await fetch(`${app.target.url}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } });
    text = await answer.text();
    series = seriesIn(text, app);
  });

  afterAll(() => app.close());

  it.each([
    ...readAlerts().map(({ alert, expr }) => ({ where: `the alert ${alert}`, expr })),
    ...[...readText('docs/runbooks.md').matchAll(/^```promql\n(.+?)^```$/gms)].map(([, expr]) => ({
      where: 'a runbook',
      expr: expr!,
    })),
    ...expressionsIn(readDashboard()).map(({ where, expr }) => ({ where: `the panel "${where}"`, expr })),
  ])('$where names metrics and labels that are emitted', ({ expr }) => {
    const selectors = selectorsIn(expr);
    expect(selectors.length).toBeGreaterThan(0);
    expect([...series.keys()]).toEqual(expect.arrayContaining(selectors.map(({ metric }) => metric)));
    for (const { metric, labels } of selectors) {
      const known = [...series.get(metric)!, ...OF_EVERY_SERIES];
      expect({ metric, labels: known }).toEqual({ metric, labels: expect.arrayContaining(labels) });
    }
    const ofAny = selectors.flatMap(({ metric }) => series.get(metric)!);
    expect([...ofAny, ...OF_EVERY_SERIES]).toEqual(expect.arrayContaining(groupingsIn(expr)));
  });

  it('lets the dashboard be narrowed to an instance', () => {
    for (const { name, definition } of readDashboard().templating.list) {
      const [, metric, label] = /^label_values\((\w+), (\w+)\)$/.exec(definition)!;
      expect([name, series.has(metric!), [...series.get(metric!)!, ...OF_EVERY_SERIES].includes(label!)]).toEqual([
        'instance',
        true,
        true,
      ]);
    }
  });

  itWithPromtool('is what promtool takes for an exposition', () => {
    const { stdout, stderr } = promtool(['check', 'metrics'], ROOT, text);
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
    expect(complaints.filter((line) => !ACCEPTED_NAMES.some((name) => name.test(line)))).toEqual([]);
    expect(complaints).toHaveLength(4); // it has looked
  });
});

/** What is emitted, by `# TYPE`, and the labels of each from its definition: some have no series yet. */
function seriesIn(text: string, app: TestApp): Map<string, string[]> {
  const labels = new Map(
    definitionsIn([app.nest.get(MetricsRegistry), app.nest.get(SharedMetricsRegistry), processRegistry()]).map(
      ({ name, labelNames }) => [name, labelNames],
    ),
  );
  const found = new Map<string, string[]>(OF_PROMETHEUS);
  for (const { name, type } of parseExposition(text).values()) {
    const own = [...labels.get(name)!];
    if (type !== 'histogram') found.set(name, own);
    else
      for (const part of ['bucket', 'sum', 'count'])
        found.set(`${name}_${part}`, part === 'bucket' ? [...own, 'le'] : own);
  }
  return found;
}
