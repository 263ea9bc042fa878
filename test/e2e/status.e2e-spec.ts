import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { MonitorDb } from '../../src/database/monitor-db';
import type { LoginUrls } from '../../src/database/login-definitions';
import { readInstanceFile } from '../../src/monitoring/instance-file';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const DAY_MS = 86_400_000;
const MIB = 1024 ** 2;
/** Nothing listens there: the port of no protocol, and one that fetch() does not refuse. */
const NOWHERE = 'http://127.0.0.1:2';

interface Report {
  status: string;
  problems: string[];
  server: { version: string; size: { bytes: number; growth: object; daysUntilFull: number | null } } | null;
  instance: { url: string; pools: { name: string; max: number }[] } | null;
  backups: null;
}

let project: ProjectCopy;
let dataDir: string;
let server: ServerProcess;
let url: string;

/** Runs `status` to its end, beside that data directory and with nothing else set. */
async function status(
  args: string[] = [],
  env: Record<string, string> = {},
  command = [process.execPath, 'dist/cli/status.js'],
) {
  const run = new ServerProcess(project.directory, { DATA_DIR: dataDir, ...env }, [...command, ...args]);
  const { code } = await run.ended;
  return { code, output: run.output };
}

async function report(
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number | null; report: Report }> {
  const { code, output } = await status(['--json', ...args], env);
  return { code, report: JSON.parse(output) as Report };
}

const loginUrls = (): LoginUrls => JSON.parse(readFileSync(path.join(dataDir, 'logins.json'), 'utf8')) as LoginUrls;

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
  server = new ServerProcess(project.directory, { DATA_DIR: dataDir });
  url = await server.ready();
}, 120_000);

afterAll(async () => {
  if (server?.isRunning) server.killGroup('SIGKILL');
  await server?.ended;
  project?.remove();
  removeTestDirectory(dataDir);
});

describe('status, beside a running Tenantry', () => {
  it('shows all of it on one page of 80 columns, without colours as it is no terminal, and says that all is well', async () => {
    const { code, output } = await status();
    expect(output).toMatch(/^Tenantry is up {3}\d{4}-\d\d-\d\d \d\d:\d\d UTC\n/);
    expect(output).toMatch(/^PostgreSQL 18\.\d+, up /m);
    expect(output).toMatch(/^ {2}tenantry_monitor +\d/m);
    expect(output).toMatch(/^ {2}database \d+\.\d MB/m);
    expect(output).toMatch(/^ {2}app\.tenants +[█▉▊▋▌▍▎▏]+ +\d/m);
    expect(output).toContain(`Pools of ${url}, Tenantry 0.1.0, up `);
    expect(output).toMatch(/^ {2}app +\d+ +\d+ +10 +0 +0 +0$/m);
    expect(output).toMatch(/^ {2}platform [^\n]*\d+ +\d+ +3 +0 +0 +0$/m);
    expect(output).toMatch(/^ {2}requests: .*since the start$/m);
    expect(output).toMatch(/^ {2}not configured: they are not taken by Tenantry/m);
    for (const line of output.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(output).not.toContain('\u001B');
    expect(code).toBe(0);
  });

  it('tells programs the same with --json', async () => {
    const { code, report: found } = await report();
    expect(found).toMatchObject({ status: 'up', problems: [], backups: null });
    expect(found.server).toMatchObject({ version: expect.stringMatching(/^18\./) as string });
    expect(found.server!.size).toMatchObject({ bytes: expect.any(Number) as number, daysUntilFull: null });
    expect(found.instance).toMatchObject({
      url,
      pools: [
        { name: 'app', max: 10 },
        { name: 'platform', max: 3 },
      ],
    });
    expect(code).toBe(0);
  });

  it('shows no secret', async () => {
    const secrets = [
      ...Object.values(loginUrls()).map((loginUrl) => new URL(loginUrl).password),
      readInstanceFile(dataDir)!.metricsToken!,
    ];
    const { output } = await status();
    const { output: json } = await status(['--json']);
    for (const secret of secrets) expect([output.includes(secret), json.includes(secret)]).toEqual([false, false]);
  });

  it('has its token from a file of the operator alone, and the metrics are for nobody without', async () => {
    const { metricsUrl, metricsToken } = readInstanceFile(dataDir)!;
    expect(statSync(path.join(dataDir, 'instance.json')).mode & 0o777).toBe(0o600);
    const scrape = async (headers: Record<string, string>) =>
      (await fetch(`${metricsUrl}/metrics`, { headers })).status;
    expect(await scrape({})).toBe(401);
    expect(await scrape({ authorization: `Bearer ${metricsToken}` })).toBe(200);
  });

  it('is there as npm run status', async () => {
    const { code, output } = await status([], {}, ['npm', 'run', '--silent', 'status']);
    expect(output).toMatch(/^Tenantry is up /);
    expect(code).toBe(0);
  });

  it('is degraded, and says why, when the instance cannot be asked', async () => {
    const { code, report: found } = await report(['--url', NOWHERE]);
    expect(found).toMatchObject({
      status: 'degraded',
      problems: [`Tenantry at ${NOWHERE} cannot be asked: ECONNREFUSED`],
    });
    expect(found.instance).toBeNull();
    expect(found.server).not.toBeNull();
    expect(code).toBe(1);
    const refused = await report([], { METRICS_TOKEN: 'not the one that it knows' });
    expect(refused.report.problems).toEqual([`Tenantry at ${url} cannot be asked: it refuses METRICS_TOKEN`]);
  });

  it('is degraded, and says why, when there is no monitor login', async () => {
    const own = { POSTGRES_URL: 'postgresql://a@127.0.0.1:1/x', POSTGRES_PLATFORM_URL: 'postgresql://b@127.0.0.1:1/x' };
    const { code, report: found } = await report(['--url', url], own);
    expect(found.problems).toEqual([
      'PostgreSQL cannot be asked: there is no monitor login: set POSTGRES_MONITOR_URL',
      `Tenantry at ${url} cannot be asked: it wants METRICS_TOKEN`,
    ]);
    expect(code).toBe(1);
  });

  it('plots growth, and warns of a disk that will be full soon', async () => {
    const monitor = new MonitorDb(loginUrls().monitor);
    try {
      for (let day = 30; day >= 0; day -= 1) {
        await monitor.query("INSERT INTO ops.size_samples VALUES ($1, 'database', 'tenantry', $2, NULL)", [
          new Date(Date.now() - day * DAY_MS),
          (40 - day) * MIB,
        ]);
      }
    } finally {
      await monitor.onApplicationShutdown();
    }
    const { code, output } = await status([], { DATABASE_DISK_BOUND_BYTES: String(20 * MIB) });
    expect(output).toMatch(/^Tenantry is degraded .*\n! The disk will be full in \d+(\.\d)? days\.\n/);
    expect(output).toMatch(/^ {2}database \d+\.\d MB {2}▁+▂+▃+▄+▅+▆+▇+█+ 30 days$/m);
    expect(output).toContain('growth, by 7 days: +1.0 MB a day; by 30: +1.0 MB a day');
    expect(code).toBe(1);
  });
});

describe('status, of Tenantry that does not run', () => {
  beforeAll(async () => {
    server.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('is degraded: nobody answers', async () => {
    const { code, report: found } = await report(['--url', NOWHERE]);
    expect(found).toMatchObject({ status: 'degraded', server: null, instance: null });
    expect(found.problems).toEqual([
      expect.stringMatching(/^PostgreSQL cannot be asked: /),
      `Tenantry at ${NOWHERE} cannot be asked: ECONNREFUSED`,
    ]);
    expect(code).toBe(1);
  });

  it('finds no trace of the instance that has ended', () => expect(readInstanceFile(dataDir)).toBeUndefined());
});

describe('status, asked how to be used,', () => {
  it('teaches', async () => {
    const { code, output } = await status(['--help']);
    expect(output).toContain('Usage: status [options]');
    expect(output).toContain('npm run --silent status -- --json | jq .problems');
    expect(output).toMatch(
      /^Exit code:\n {2}0 {2}done\n {2}1 {2}it failed, or what was looked at is damaged or degraded/m,
    );
    for (const line of output.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    expect(code).toBe(0);
  });

  it.each([
    ['an option that it does not know', ['--nonsense'], {}, "unknown option '--nonsense'"],
    ['a wrong configuration', [], { POSTGRES_POOL_SIZE: 'many' }, 'POSTGRES_POOL_SIZE must'],
  ])('refuses %s with an exit code of its own', async (_, args, env, words) => {
    const { code, output } = await status(args, env);
    expect(output).toContain(words);
    expect(output).not.toMatch(/^ +at /m);
    expect(code).toBe(2);
  });
});
