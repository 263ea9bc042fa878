import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { LoginUrls } from '../../src/database/login-definitions';
import { isPostmasterAlive } from '../../src/database/postmaster';
import { readInstanceFile } from '../../src/monitoring/instance-file';
import { copyProject, type ProjectCopy } from '../support/built-project';
import { childrenOf, isRunning } from '../support/child-processes';
import { eventually } from '../support/eventually';
import { Scrape } from '../support/scrape';
import { type Ending, ServerProcess, watchCommandLines } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const WORKERS = 2;
const COMMAND = [process.execPath, 'dist/main.js', '--workers', String(WORKERS)];
const GENERATED_PASSWORD = /password ([1-9A-Za-z]{24}) {3}\(shown this once\)/;
const IN_FLIGHT_MS = 300;
const ENOUGH_FOR_EACH = 4 * WORKERS;

let project: ProjectCopy;
/** One cluster for all: made by the first start, in `beforeAll`. Each test leaves it stopped. */
let dataDir: string;
let started: ServerProcess[] = [];
let first: { output: string; ending: Ending; statuses: number[]; commandLines: string[]; survivors: boolean };
let password: string;

/** JSON lines, which name their worker. */
function start(env: Record<string, string> = {}, command = COMMAND): ServerProcess {
  const production = { NODE_ENV: 'production', SHUTDOWN_DELAY_MS: '0' };
  const server = new ServerProcess(project.directory, { DATA_DIR: dataDir, ...production, ...env }, command);
  started.push(server);
  return server;
}

const pgData = (): string => path.join(dataDir, 'postgres', 'data');
const databaseRuns = (): boolean => existsSync(pgData()) && isPostmasterAlive(pgData());
const loginUrls = (): LoginUrls => JSON.parse(readFileSync(path.join(dataDir, 'logins.json'), 'utf8')) as LoginUrls;
/** The server's children are the workers, and the embedded database's own process. */
const workersOf = ({ pid }: ServerProcess): number[] =>
  childrenOf(pid).filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('main.js'));

/** Each on a connection of its own: connections go to the workers in turn. @returns its status */
async function ask(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { ...init, headers: { connection: 'close', ...init.headers } });
  await response.arrayBuffer();
  return response.status;
}

const signIn = (url: string): Promise<number> =>
  ask(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'admin@tenantry.localhost', password }),
  });

async function asOwner(sql: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: loginUrls().owner });
  await client.connect();
  await client.query(sql);
  return client;
}

/** Begins a request in each worker, has the server told to stop in their middle, and lets them go on. @returns their statuses */
async function stopAmidSignIns(url: string, stop: () => void): Promise<number[]> {
  const held = await asOwner('BEGIN; LOCK TABLE identity.sessions IN ACCESS EXCLUSIVE MODE');
  const statuses = Promise.all([signIn(url), signIn(url)]);
  await sleep(IN_FLIGHT_MS);
  stop();
  await sleep(IN_FLIGHT_MS);
  await held.end();
  return statuses;
}

/** What its log says of requests: which worker answered which route. */
function answers({ output }: ServerProcess): { worker: number; route: string }[] {
  return output
    .split('\n')
    .filter((line) => line.includes('"context":"Request"'))
    .map((line) => JSON.parse(line) as { worker: number; route: string });
}

async function scrape(): Promise<Scrape> {
  const { metricsUrl, metricsToken } = readInstanceFile(dataDir)!;
  const response = await fetch(`${metricsUrl}/metrics`, {
    headers: { connection: 'close', ...(metricsToken && { authorization: `Bearer ${metricsToken}` }) },
  });
  return new Scrape(await response.text());
}

const signInsIn = (metrics: Scrape): number => metrics.value('sign_in_attempts_total', { result: 'success' })!;

beforeAll(async () => {
  project = copyProject();
  dataDir = makeTestDirectory();
  const watch = watchCommandLines();
  const server = start({ NODE_ENV: 'development' }, ['npm', 'start', '--', '--workers', String(WORKERS)]);
  const url = await server.ready();
  password = GENERATED_PASSWORD.exec(server.output)?.[1] ?? '';
  const statuses = await stopAmidSignIns(url, () => server.killGroup('SIGINT'));
  const ending = await server.ended;
  first = { output: server.output, ending, statuses, commandLines: watch.stop(), survivors: databaseRuns() };
}, 120_000);

afterEach(async () => {
  for (const server of started) if (server.isRunning) server.killGroup('SIGKILL');
  await Promise.all(started.map(({ ended }) => ended));
  started = [];
});

afterAll(() => {
  project.remove();
  removeTestDirectory(dataDir);
});

describe('npm start -- --workers 2, for the first time', () => {
  it('welcomes once, with one administrator', () => {
    expect(first.output.split('Tenantry is up.')).toHaveLength(2);
    expect(first.output.split('(shown this once)')).toHaveLength(2);
  });

  it('stops at Ctrl-C, which reaches every process, once the requests under way are answered', () => {
    expect(first.statuses).toEqual([200, 200]);
    expect(first.ending).toEqual({ code: 0, signal: null });
    expect(first.survivors).toBe(false);
    expect(first.output).not.toMatch(/another takes its place|ERROR/);
  });

  it('shows no secret in any command line', () => {
    const shown = first.commandLines.join('\n');
    expect(shown).toContain('dist/main.js --workers 2'); // or nothing was watched
    const secrets = Object.values(loginUrls()).map((url) => new URL(url).password);
    for (const secret of [...secrets, password]) expect(shown).not.toContain(secret);
  });
});

describe('several workers', () => {
  it('serve one port, and share out its connections', async () => {
    const server = start();
    const url = await server.ready();
    expect(workersOf(server)).toHaveLength(WORKERS);
    for (let count = 0; count < ENOUGH_FOR_EACH; count++) expect(await signIn(url)).toBe(200);
    await eventually(async () => expect(answers(server)).toHaveLength(ENOUGH_FOR_EACH));
    const byWorker = [1, 2].map((number) => answers(server).filter(({ worker }) => worker === number).length);
    expect(byWorker).toEqual([ENOUGH_FOR_EACH / 2, ENOUGH_FOR_EACH / 2]);
  });

  it('are measured as one instance, whichever is asked', async () => {
    const server = start();
    const url = await server.ready();
    for (let count = 0; count < ENOUGH_FOR_EACH; count++) await signIn(url);
    for (const metrics of [await scrape(), await scrape()]) {
      expect(metrics.value('tenantry_workers')).toBe(WORKERS);
      expect(signInsIn(metrics)).toBe(ENOUGH_FOR_EACH);
      expect(metrics.find('db_client_connection_max').map(({ labels, value }) => [labels.pool, value])).toEqual([
        ['app', 10],
        ['platform', 3],
      ]);
      expect(metrics.value('pg_up')).toBe(1);
      expect(metrics.value('process_start_time_seconds')).toBeGreaterThan(Date.now() / 1000 - 120);
    }
  });

  it('have their metrics at METRICS_PORT once, and there only', async () => {
    const server = start({ METRICS_PORT: '0' });
    const url = await server.ready();
    expect((await scrape()).value('tenantry_workers')).toBe(WORKERS);
    expect(readInstanceFile(dataDir)!.metricsUrl).not.toBe(url);
    expect(await ask(`${url}/metrics`)).toBe(404);
  });

  it('say when a pool is smaller than they are many, and take one connection each', async () => {
    const server = start({ POSTGRES_PLATFORM_POOL_SIZE: '1', NODE_ENV: 'development' });
    await server.ready();
    expect(server.output).toContain(
      'POSTGRES_PLATFORM_POOL_SIZE=1 is less than the 2 workers: each has 1, which makes 2.',
    );
    expect((await scrape()).value('db_client_connection_max', { pool: 'platform' })).toBe(2);
  });

  it('stop at SIGTERM to the first process, whatever connections stand open', async () => {
    const server = start();
    const url = await server.ready();
    const unused = connect(Number(new URL(url).port), '127.0.0.1').resume();
    await once(unused, 'connect');
    expect(await stopAmidSignIns(url, () => server.kill('SIGTERM'))).toEqual([200, 200]);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(databaseRuns()).toBe(false);
    expect(existsSync(path.join(dataDir, 'instance.json'))).toBe(false);
  });

  it('stop, too, when that comes while they start', async () => {
    const server = start();
    while (workersOf(server).length === 0) await sleep(5);
    server.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(databaseRuns()).toBe(false);
  });
});

describe('a worker that dies', () => {
  it('is replaced, while the others serve, and what it had counted still counts', async () => {
    const server = start();
    const url = await server.ready();
    for (let count = 0; count < ENOUGH_FOR_EACH; count++) await signIn(url);
    const before = await scrape();
    const [victim] = workersOf(server);
    process.kill(victim!, 'SIGKILL');
    while (isRunning(victim!)) await sleep(1);
    // Connections that are given to it in this very moment may break, and must not hang.
    const meanwhile = await Promise.all(
      Array.from({ length: ENOUGH_FOR_EACH }, () => signIn(url).catch(() => 'broken')),
    );
    const served = meanwhile.filter((status) => status === 200).length;
    expect(served).toBeGreaterThanOrEqual(ENOUGH_FOR_EACH / 2);
    await eventually(async () => expect(signInsIn(await scrape())).toBe(signInsIn(before) + served));
    await server.says(/Worker [12] serves again/);
    expect(workersOf(server)).toHaveLength(WORKERS);
    expect((await scrape()).value('tenantry_workers')).toBe(WORKERS);
    expect(server.output).toMatch(
      /"level":"warn".*Worker [12] \(process \d+\) ended by SIGKILL; another takes its place/,
    );
    server.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
  });

  it('is replaced when it was told to stop by itself, and finishes what it does', async () => {
    const server = start();
    const url = await server.ready();
    const [one] = workersOf(server);
    expect(await stopAmidSignIns(url, () => process.kill(one!, 'SIGTERM'))).toEqual([200, 200]);
    await server.says(/ended with code 0; another takes its place/);
    await server.says(/serves again/);
  });
});

describe('the first process, killed with SIGKILL', () => {
  it('leaves no worker behind, and the next start works', async () => {
    const server = start();
    await server.ready();
    const workers = workersOf(server);
    expect(workers).toHaveLength(WORKERS);
    server.kill('SIGKILL');
    await eventually(async () => expect(workers.filter(isRunning)).toEqual([]));
    const next = start();
    expect(await signIn(await next.ready())).toBe(200);
    next.kill('SIGTERM');
    expect(await next.ended).toEqual({ code: 0, signal: null });
    expect(databaseRuns()).toBe(false);
  });
});

describe('a start of workers that cannot be', () => {
  it('names a port that is taken, once, and leaves nothing running', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const server = start({ PORT: String(port) });
    const ending = await server.ended;
    holder.close();
    expect(ending).toEqual({ code: 1, signal: null });
    expect(server.output.split(`EADDRINUSE 127.0.0.1:${port}\nSet PORT to a free one.\n`)).toHaveLength(2);
    expect(server.output).not.toMatch(/^ +at /m);
    expect(databaseRuns()).toBe(false);
  });

  it.each([
    [['--workers', '0'], 'WORKERS must not be less than 1'],
    [['--workers', 'many'], 'WORKERS must be a whole number, or auto'],
    [['--worker', '2'], "Unknown option '--worker'"],
  ])('names what is wrong with %p', async (args, words) => {
    const server = start({}, [process.execPath, 'dist/main.js', ...args]);
    expect(await server.ended).toEqual({ code: 1, signal: null });
    expect(server.output).toContain(words);
    expect(server.output).not.toMatch(/^ +at /m);
  });
});

// Last: it spoils the cluster.
describe('workers that end again and again', () => {
  it('end the instance: it says why, stops its database, and ends with an error', async () => {
    const server = start();
    await server.ready();
    await (await asOwner('ALTER TABLE app.roles NO FORCE ROW LEVEL SECURITY')).end();
    process.kill(workersOf(server)[0]!, 'SIGKILL');
    const ending = await server.ended;
    expect(ending).toEqual({ code: 1, signal: null });
    expect(server.output).toContain('tables without forced row-level security: app.roles.');
    expect(server.output).toMatch(/Workers end again and again: the instance stops\.\n$/);
    expect(databaseRuns()).toBe(false);
  }, 120_000);
});
