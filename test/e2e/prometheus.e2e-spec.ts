import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createTestApp, type TestApp } from '../support/app';
import { eventually as eventuallyWithin } from '../support/eventually';
import { expressionsIn, readAlerts, readDashboard, readText } from '../support/monitoring-files';
import { newTenant } from '../support/tenant';

const TOKEN = 'the-token-that-prometheus-presents';

/** What a new database without a standby and without an archive has nothing to tell about; and what has not gone wrong. */
const MAY_BE_EMPTY =
  /pg_replication|wal_archive|wal_receiver|backup_|pg_database_(days|growth)|tenant_size|alertstate|"5\.\."|changes\(/;

const isThere = spawnSync('prometheus', ['--version']).status === 0;
if (!isThere)
  process.stderr.write(
    'Prometheus is missing: nobody scrapes. On Debian 12: apt-get install -y --no-install-recommends prometheus\n',
  );
/** Skipped where somebody works without it; in CI it must be there. */
const describeWithPrometheus = isThere || process.env.CI ? describe : describe.skip;

/** A busy machine lets some scrapes run into their timeout. */
const eventually = (assertions: () => Promise<void>): Promise<void> => eventuallyWithin(assertions, 25_000);

interface Answer<Data> {
  status: string;
  data: Data;
}

describeWithPrometheus('Prometheus with the configuration of ops/', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'tenantry-prometheus-'));
  let app: TestApp;
  let child: ChildProcess | undefined;
  let url: string;
  let output = '';

  const ask = async <Data>(question: string): Promise<Data> => {
    const answer = await fetch(`${url}/api/v1/${question}`);
    const { status, data } = (await answer.json()) as Answer<Data>;
    expect([question, status]).toEqual([question, 'success']);
    return data;
  };
  const query = (expr: string): Promise<{ result: unknown[] }> => ask(`query?query=${encodeURIComponent(expr)}`);

  beforeAll(async () => {
    app = await createTestApp({ METRICS_TOKEN: TOKEN });
    const token = path.join(directory, 'token');
    writeFileSync(token, TOKEN);
    writeFileSync(path.join(directory, 'alerts.yml'), readText('ops/prometheus/alerts.yml'));
    const config = path.join(directory, 'prometheus.yml');
    writeFileSync(config, configuration(new URL(app.target.url).host, token));
    const address = `127.0.0.1:${await freePort()}`;
    url = `http://${address}`;
    child = spawn('prometheus', [
      `--config.file=${config}`,
      `--storage.tsdb.path=${path.join(directory, 'data')}`,
      `--web.listen-address=${address}`,
    ]);
    child.on('error', (error) => (output += error.message));
    child.stderr!.on('data', (data: Buffer) => (output += data.toString()));
  });

  afterAll(async () => {
    if (child?.pid !== undefined && child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
    await app.close();
    rmSync(directory, { recursive: true });
  });

  it('scrapes Tenantry', async () => {
    await eventually(async () => {
      const { activeTargets } = await ask<{ activeTargets: object[] }>('targets').catch((error: unknown) => {
        throw new Error(`Prometheus does not answer: ${output}`, { cause: error });
      });
      expect(activeTargets).toEqual([expect.objectContaining({ health: 'up', lastError: '', scrapePool: 'tenantry' })]);
    });
  });

  it('judges every alert, and none fires on a healthy system', async () => {
    await eventually(async () => {
      const { groups } = await ask<{
        groups: { rules: { name: string; health: string; alerts: { state: string }[] }[] }[];
      }>('rules');
      const rules = groups.flatMap((group) => group.rules);
      expect(rules.map(({ name }) => name).toSorted()).toEqual(
        readAlerts()
          .map(({ alert }) => alert)
          .toSorted(),
      );
      for (const { name, health, alerts } of rules)
        expect([name, health, alerts.filter(({ state }) => state === 'firing')]).toEqual([name, 'ok', []]);
    });
  });

  it('has data for every panel of the dashboard that can have some', async () => {
    const { tenant, viewer } = await newTenant(app);
    await eventually(async () => {
      await viewer.get(`/v1/tenants/${tenant.id}`).expect(200);
      await viewer.delete(`/v1/tenants/${tenant.id}`).expectProblem(403, 'permission_missing');
      for (const { where, expr } of expressionsIn(readDashboard())) {
        const { result } = await query(expr);
        if (!MAY_BE_EMPTY.test(expr)) expect([where, expr, result.length > 0]).toEqual([where, expr, true]);
      }
    });
  });
});

/** That of ops/, but for where Tenantry and the token are, and every 2 s instead of every 15. */
function configuration(target: string, token: string): string {
  const replacements = [
    ['app:3000', target],
    ['/run/secrets/metrics_token', token],
    ['scrape_interval: 15s', 'scrape_interval: 2s'],
    ['evaluation_interval: 15s', 'evaluation_interval: 2s'],
  ] as const;
  return replacements.reduce((text, [from, to]) => {
    expect(text).toContain(from);
    return text.replace(from, to);
  }, readText('ops/prometheus/prometheus.yml'));
}

/** One that was free a moment ago: Prometheus does not tell which it got for 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
