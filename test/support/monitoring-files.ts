import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './source-tree';

export interface AlertRule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; runbook_url: string };
}

export interface RuleTest {
  name: string;
  input_series: { series: string; values: string }[];
  promql_expr_test: { expr: string; eval_time: string; exp_samples: { labels: string; value: number }[] }[];
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  datasource?: { type: string; uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { refId: string; expr: string; legendFormat: string }[];
}

export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  annotations: { list: { expr: string; datasource: { uid: string } }[] };
  templating: { list: { name: string; definition: string; datasource: { uid: string } }[] };
}

/** @param name of a file, from the top of the checkout */
export const readText = (name: string): string => readFileSync(path.join(ROOT, name), 'utf8');

/** A YAML file, as whatever the caller knows it to be. */
export function readYaml<Content>(name: string): Content {
  return parse(readText(name), { merge: true }) as Content;
}

/** The alerts of ops/prometheus/alerts.yml. */
export function readAlerts(): AlertRule[] {
  return readYaml<{ groups: { rules: AlertRule[] }[] }>('ops/prometheus/alerts.yml').groups.flatMap(
    ({ rules }) => rules,
  );
}

/** The cases of ops/prometheus/alerts.test.yml. */
export function readRuleTests(): RuleTest[] {
  return readYaml<{ tests: RuleTest[] }>('ops/prometheus/alerts.test.yml').tests;
}

export function readDashboard(): Dashboard {
  return JSON.parse(readText('ops/grafana/tenantry.json')) as Dashboard;
}

/** Every expression of a dashboard, with where it stands; Grafana's variables have a value that PromQL can read. */
export function expressionsIn({ panels, annotations }: Dashboard): { where: string; expr: string }[] {
  const found = [
    ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
    ...annotations.list.map(({ expr }) => ({ where: 'annotations', expr })),
  ];
  return found.map(({ where, expr }) => ({
    where,
    expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*'),
  }));
}
