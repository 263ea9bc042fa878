import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseMetrics } from '../../src/cli/metrics-text';
import { readInstanceFile } from '../../src/monitoring/instance-file';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { eventually } from '../support/eventually';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const PATIENCE_MS = 100_000;
const EVERY_DAY = '0 2 * * *';
const GENERATED_PASSWORD = /password ([1-9A-Za-z]{24}) /;

interface Report {
  status: string;
  problems: string[];
  backups: { backups: number; receiverUp: boolean; runs: { succeeded?: { trigger: string; total: number } } } | null;
}

let project: ProjectCopy;
let dataDir: string;
let server: ServerProcess;
let url: string;
let token: string;

async function start(): Promise<void> {
  server = new ServerProcess(project.directory, { DATA_DIR: dataDir, BACKUP_SCHEDULE: EVERY_DAY });
  url = await server.ready();
}

/** Runs `tenantry` to its end, beside that data directory. */
async function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const env = { DATA_DIR: dataDir, BACKUP_SCHEDULE: EVERY_DAY };
  const command = new ServerProcess(project.directory, env, [process.execPath, 'dist/cli/tenantry.js', ...args]);
  const { code } = await command.ended;
  return { code, output: command.output };
}

async function metric(name: string, labels: Record<string, string> = {}): Promise<number | undefined> {
  const { metricsUrl, metricsToken } = readInstanceFile(dataDir)!;
  const answer = await fetch(`${metricsUrl}/metrics`, { headers: { authorization: `Bearer ${metricsToken}` } });
  const found = parseMetrics(await answer.text()).filter((sample) => sample.name === name);
  return found.find((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    ?.value;
}

async function backupHealth(): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}/health`, { headers: { authorization: `Bearer ${token}` } });
  const { details } = (await answer.json()) as { details: { backup_age: Record<string, unknown> } };
  return details.backup_age;
}

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
  await start();
  const answer = await fetch(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      email: 'admin@tenantry.localhost',
      password: GENERATED_PASSWORD.exec(server.output)![1],
    }),
  });
  ({ accessToken: token } = (await answer.json()) as { accessToken: string });
}, 180_000);

afterAll(async () => {
  if (server?.isRunning) server.killGroup('SIGKILL');
  await server?.ended;
  project?.remove();
  removeTestDirectory(dataDir);
});

describe('npm start, with nothing set,', () => {
  it('takes a first backup soon, receives the log, and says so in health, metrics and status', async () => {
    // At first nothing has been stored of the log.
    const health = await eventually(async () => {
      const found = await backupHealth();
      expect(found).toMatchObject({ status: 'up', problems: [], coverage: { from: expect.any(String) as string } });
      return found;
    }, PATIENCE_MS);
    expect(health.ageSeconds).toBeLessThan(600);

    expect(await metric('backup_configured')).toBe(1);
    const newest = await metric('backup_last_success_timestamp_seconds', { type: 'base' });
    expect(new Date(newest! * 1000).toISOString()).toBe(health.newestBackupAt);
    expect(await metric('backup_runs_total', { result: 'succeeded' })).toBe(1);
    expect(await metric('backup_runs_total', { result: 'failed' })).toBe(0);
    expect(await metric('backup_size_bytes', { of: 'stored' })).toBeGreaterThan(100_000);
    expect(await metric('backup_repository_up')).toBe(1);
    expect(await metric('wal_receiver_up')).toBe(1);
    expect(await metric('wal_archive_gap')).toBe(0);
    const end = await metric('backup_coverage_end_timestamp_seconds');
    expect(end! * 1000).toBeGreaterThan(Date.now() - 600_000);

    const { code, output } = await run('status', '--json');
    const report = JSON.parse(output) as Report;
    expect(report).toMatchObject({ problems: [], backups: { backups: 1, receiverUp: true } });
    expect(code).toBe(0);
    expect(statSync(`${dataDir}/backup.key`).mode & 0o777).toBe(0o600);
  }, 180_000);

  it('knows of a backup by hand', async () => {
    expect(await run('backup', 'create')).toMatchObject({ code: 0 });
    const { output } = await run('status', '--json');
    expect((JSON.parse(output) as Report).backups?.runs.succeeded).toMatchObject({ trigger: 'manual', total: 2 });
    await eventually(
      async () => expect(await metric('backup_runs_total', { result: 'succeeded' })).toBe(2),
      PATIENCE_MS,
    );
  }, 180_000);

  it('goes on after a kill -9, and takes no backup that is not due', async () => {
    server.kill('SIGKILL');
    await server.ended;
    await start();
    await eventually(async () => expect(await metric('wal_receiver_up')).toBe(1), PATIENCE_MS);
    await sleep(1_000);
    expect(await metric('backup_runs_total', { result: 'succeeded' })).toBe(2);
    expect(await metric('wal_archive_gap')).toBe(0);
    server.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
  }, 180_000);
});
