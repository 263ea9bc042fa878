import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type AlertRule,
  expressionsIn,
  readAlerts,
  readDashboard,
  readRuleTests,
  readText,
  type RuleTest,
} from '../support/monitoring-files';
import { groupingsIn, selectorsIn } from '../support/promql';
import { itWithPromtool, promtool } from '../support/promtool';
import { ROOT } from '../support/source-tree';

const FOLDER = path.join(ROOT, 'ops/prometheus');
const alerts = readAlerts();
const cases = readRuleTests();
const runbooks = readText('docs/runbooks.md');

/** The alerts that a case expects to fire at one time or another. */
function firedBy({ promql_expr_test: checks }: RuleTest): string[] {
  return checks.flatMap(({ exp_samples }) => exp_samples.map(({ labels }) => /alertname="(\w+)"/.exec(labels)![1]!));
}

/** What stands below the heading that an anchor leads to; undefined when there is none. */
function sectionAt(anchor: string): string | undefined {
  const sections = runbooks.split(/^## /m).slice(1);
  return sections.find((section) => section.slice(0, section.indexOf('\n')).toLowerCase() === anchor);
}

describe('ops/prometheus/alerts.yml', () => {
  it.each(alerts)('$alert says what it means, how bad it is and what to do', ({ alert, labels, annotations }) => {
    expect(['critical', 'warning']).toContain(labels.severity);
    expect(annotations).toEqual({
      summary: expect.stringMatching(/\w{3}/),
      description: expect.stringMatching(/\w{3}.*\.$/),
      runbook_url: `docs/runbooks.md#${alert.toLowerCase()}`,
    });
  });

  it.each(alerts)('$alert has a runbook: what it means, what to look at, what to do', ({ alert }) => {
    const section = sectionAt(alert.toLowerCase());
    expect(section).toMatch(/\*\*Means\.\*\*.{20}/s);
    expect(section).toMatch(/\*\*Look\.\*\*.{20}/s);
    expect(section).toMatch(/\*\*Do\.\*\*.{20}/s);
  });

  it('has a runbook for no alert that is gone, and each alert once', () => {
    const headings = [...runbooks.matchAll(/^## (\S+)$/gm)].map(([, heading]) => heading);
    expect(headings).toEqual(alerts.map(({ alert }) => alert));
    expect(new Set(headings).size).toBe(alerts.length);
  });

  it('pages for the classes of SQLSTATE whose first error is counted as an increase', () => {
    const watched = /WATCHED_CLASSES = \[(.*)\]/.exec(readText('src/monitoring/operation-metrics.ts'))![1]!;
    const classes = alerts.flatMap(({ expr }) =>
      [...expr.matchAll(/sqlstate_class="(\w+)"/g)].map(([, name]) => name!),
    );
    expect(classes.toSorted()).toEqual(watched.match(/\w+/g)!.toSorted());
  });

  itWithPromtool('is understood by Prometheus', () => {
    expect(promtool(['check', 'rules', 'alerts.yml'], FOLDER)).toMatchObject({ exitCode: 0 });
  });
});

describe('selectorsIn', () => {
  it('names every series, with the labels of its matchers, and nothing else', () => {
    const expression =
      'sum by (job, pool) (rate(a_total{class=~"x|y", on!="b()"}[5m] offset 1h)) / ignoring (state) b{} > 0.5 and on (job) c or vector(1)';
    expect(selectorsIn(expression)).toEqual([
      { metric: 'a_total', labels: ['class', 'on'] },
      { metric: 'b', labels: [] },
      { metric: 'c', labels: [] },
    ]);
    expect(groupingsIn(expression)).toEqual(['job', 'pool', 'state', 'job']);
  });
});

describe('ops/prometheus/alerts.test.yml', () => {
  itWithPromtool('holds: each trouble fires its alerts and no others', () => {
    expect(promtool(['test', 'rules', 'alerts.test.yml'], FOLDER)).toMatchObject({ exitCode: 0 });
  });

  it('has a case in which each alert fires', () => {
    expect(new Set(cases.flatMap(firedBy))).toEqual(new Set(alerts.map(({ alert }) => alert)));
  });

  it('begins with a healthy system that has every metric the alerts watch: silence is not for want of data', () => {
    const [healthy] = cases;
    expect(firedBy(healthy!)).toEqual([]);
    expect(healthy!.promql_expr_test.map(({ expr }) => expr)).toEqual(['ALERTS', 'ALERTS', 'ALERTS']);
    const given = new Set(healthy!.input_series.map(({ series }) => series.split('{')[0]));
    for (const { alert, expr } of alerts)
      for (const { metric } of selectorsIn(expr))
        expect([alert, metric, given.has(metric)]).toEqual([alert, metric, true]);
  });

  itWithPromtool('notices an alert that no longer fires, and one that fires without cause', () => {
    const [first] = alerts as [AlertRule];
    for (const [from, to] of [
      [`expr: ${first.expr}`, 'expr: vector(0) > 1'],
      ['> 0.05', '> 0.001'],
    ] as const) {
      const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-alerts-'));
      try {
        const text = readText('ops/prometheus/alerts.yml');
        expect(text).toContain(from);
        writeFileSync(path.join(folder, 'alerts.yml'), text.replace(from, to));
        writeFileSync(path.join(folder, 'alerts.test.yml'), readText('ops/prometheus/alerts.test.yml'));
        expect(promtool(['test', 'rules', 'alerts.test.yml'], folder)).toMatchObject({ exitCode: 1 });
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  });
});

describe('ops/grafana/tenantry.json', () => {
  itWithPromtool('asks what Prometheus understands', () => {
    const rules = expressionsIn(readDashboard()).map(({ expr }, index) => ({ record: `panel:${index}`, expr }));
    const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-dashboard-'));
    try {
      // JSON is YAML, too.
      writeFileSync(path.join(folder, 'panels.yml'), JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
      const { exitCode, stdout, stderr } = promtool(['check', 'rules', 'panels.yml'], folder);
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(stdout).toContain(`${rules.length} rules found`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
