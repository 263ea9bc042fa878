import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Env } from '../../src/config/env';
import { environmentOf, secrets, services } from '../support/compose-file';
import { expressionsIn, readAlerts, readDashboard, readText, readYaml } from '../support/monitoring-files';
import { itWithPromtool, promtool } from '../support/promtool';
import { ROOT } from '../support/source-tree';

interface PrometheusConfig {
  rule_files: string[];
  scrape_configs: [
    {
      job_name: string;
      metrics_path: string;
      authorization: { credentials_file: string };
      static_configs: { targets: string[] }[];
    },
  ];
}

interface Datasources {
  datasources: { uid: string; type: string; url: string }[];
}

interface DashboardProviders {
  providers: { options: { path: string } }[];
}

/** Where Prometheus listens, by its own documentation. */
const PROMETHEUS_PORT = 9090;
const GRAFANA_PORT = 3000;
const GRID_COLUMNS = 24;

const config = readYaml<PrometheusConfig>('ops/prometheus/prometheus.yml');
const [scrape] = config.scrape_configs;
const dashboard = readDashboard();

/** A service's mounts from this checkout. */
function bindsOf(name: 'prometheus' | 'grafana'): { source: string; target: string; mode: string | undefined }[] {
  return services[name].volumes!.flatMap((volume) => {
    const [source, target, mode] = volume.split(':');
    return source!.startsWith('./') ? [{ source: source!.slice(2), target: target!, mode }] : [];
  });
}

describe('Prometheus', () => {
  it('scrapes the application where it listens, under a name that the alerts and the dashboard know', () => {
    expect(scrape.static_configs).toEqual([{ targets: [`app:${new Env().PORT}`] }]);
    expect(services).toHaveProperty('app');
    expect(environmentOf('app')).not.toContain('METRICS_PORT');
    const { paths } = JSON.parse(readText('openapi.json')) as { paths: object };
    expect(paths).toHaveProperty([scrape.metrics_path]);
    const jobs = [...readAlerts(), ...expressionsIn(dashboard)].flatMap(({ expr }) => [
      ...expr.matchAll(/job="(.*?)"/g),
    ]);
    expect(new Set(jobs.map(([, job]) => job))).toEqual(new Set([scrape.job_name]));
  });

  it('presents the token that the application wants', () => {
    const [[name, { environment }]] = Object.entries(secrets) as [[string, { environment: string }]];
    expect(services.prometheus.secrets).toEqual([name]);
    expect(scrape.authorization.credentials_file).toBe(`/run/secrets/${name}`);
    expect(services.app.environment![environment]).toBe(`\${${environment}:?set it in .env}`);
    expect(environment).toBe('METRICS_TOKEN');
    // Compose copies such a secret into the container, and refuses to where that is read-only (docker/compose#12531).
    expect(services.prometheus.read_only).toBeUndefined();
  });

  it('finds its configuration where it is mounted', () => {
    expect(bindsOf('prometheus')).toEqual([{ source: 'ops/prometheus', target: '/etc/prometheus', mode: 'ro' }]);
    expect(services.prometheus.command).toContain('--config.file=/etc/prometheus/prometheus.yml');
    for (const file of config.rule_files) expect(existsSync(path.join(ROOT, 'ops/prometheus', file))).toBe(true);
  });

  itWithPromtool('understands its configuration', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tenantry-prometheus-'));
    try {
      const token = path.join(folder, 'token'); // promtool looks whether it is there
      writeFileSync(token, 'token');
      const text = readText('ops/prometheus/prometheus.yml').replace(scrape.authorization.credentials_file, token);
      expect(text).toContain(token);
      writeFileSync(path.join(folder, 'prometheus.yml'), text);
      for (const file of config.rule_files) writeFileSync(path.join(folder, file), readText(`ops/prometheus/${file}`));
      expect(promtool(['check', 'config', 'prometheus.yml'], folder)).toMatchObject({ exitCode: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('Grafana', () => {
  const mounts = new Map(bindsOf('grafana').map(({ source, target }) => [source, target]));

  it('mounts what exists, where Grafana looks for it', () => {
    for (const { source, mode } of bindsOf('grafana'))
      expect([source, existsSync(path.join(ROOT, source)), mode]).toEqual([source, true, 'ro']);
    expect(path.posix.dirname(mounts.get('ops/grafana/datasources.yml')!)).toBe(
      '/etc/grafana/provisioning/datasources',
    );
    expect(path.posix.dirname(mounts.get('ops/grafana/dashboards.yml')!)).toBe('/etc/grafana/provisioning/dashboards');
    const [provider] = readYaml<DashboardProviders>('ops/grafana/dashboards.yml').providers;
    expect(path.posix.dirname(mounts.get('ops/grafana/tenantry.json')!)).toBe(provider!.options.path);
    expect(services.grafana.environment!.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH).toBe(
      mounts.get('ops/grafana/tenantry.json'),
    );
  });

  it('asks Prometheus, in every panel', () => {
    const { datasources } = readYaml<Datasources>('ops/grafana/datasources.yml');
    expect(datasources).toEqual([
      expect.objectContaining({ type: 'prometheus', url: `http://prometheus:${PROMETHEUS_PORT}` }),
    ]);
    const asked = [
      ...dashboard.panels.filter(({ type }) => type !== 'row'),
      ...dashboard.annotations.list,
      ...dashboard.templating.list,
    ].map(({ datasource }) => datasource?.uid);
    expect(new Set(asked)).toEqual(new Set([datasources[0]!.uid]));
  });

  it('shows panels that have a place and something to show', () => {
    const taken = new Map<string, string>();
    for (const { type, title, gridPos, targets = [] } of dashboard.panels) {
      expect([title, targets.length > 0]).toEqual([title, type !== 'row']);
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(GRID_COLUMNS);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect([title, taken.get(`${x},${y}`)]).toEqual([title, undefined]);
          taken.set(`${x},${y}`, title);
        }
      }
    }
    const ids = dashboard.panels.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has the panels that the runbooks name', () => {
    const titles = dashboard.panels.map(({ title }) => title);
    const named = [...readText('docs/runbooks.md').matchAll(/(?<=[\s(])_([A-Z][a-z][^_]*)_(?=[\s.,:;)])/g)].map(
      ([, title]) => title!,
    );
    expect(named.length).toBeGreaterThan(10);
    for (const name of named) expect(titles).toContainEqual(expect.stringMatching(new RegExp(`^${name}`)));
  });
});

describe('ports', () => {
  it('are open to this machine alone, but for the API', () => {
    expect(services.prometheus.ports).toEqual([`127.0.0.1:9090:${PROMETHEUS_PORT}`]);
    expect(services.grafana.ports).toEqual([`127.0.0.1:3001:${GRAFANA_PORT}`]);
    expect([services.postgres.ports, services.pgbouncer.ports]).toEqual([undefined, undefined]);
  });
});
