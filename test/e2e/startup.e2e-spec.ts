import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { isPostmasterAlive } from '../../src/database/postmaster';
import type { LoginUrls } from '../../src/database/login-definitions';
import { copyProject, type ProjectCopy } from '../support/built-project';
import { type Ending, ServerProcess, watchCommandLines } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const SIGN_IN = { email: 'admin@tenantry.localhost', password: '' };
const GENERATED_PASSWORD = /password ([1-9A-Za-z]{24}) {3}\(shown this once\)/;
const IN_FLIGHT_MS = 300;

let project: ProjectCopy;
/** One cluster for all: made by the first start, in `beforeAll`. Each test leaves it stopped. */
let dataDir: string;
let started: ServerProcess[] = [];
let first: { output: string; ending: Ending; signInStatus: number; commandLines: string[]; survivor: boolean };

function start(env: Record<string, string> = {}, command?: string[]): ServerProcess {
  const server = new ServerProcess(project.directory, { DATA_DIR: dataDir, LOG_LEVEL: 'debug', ...env }, command);
  started.push(server);
  return server;
}

const pgData = (): string => path.join(dataDir, 'postgres', 'data');
const databaseRuns = (): boolean => existsSync(pgData()) && isPostmasterAlive(pgData());
const postmasterPid = (): number => Number(readFileSync(path.join(pgData(), 'postmaster.pid'), 'utf8').split('\n')[0]);
const loginUrls = (): LoginUrls => JSON.parse(readFileSync(path.join(dataDir, 'logins.json'), 'utf8')) as LoginUrls;

async function signIn(url: string): Promise<number> {
  const response = await fetch(`${url}/v1/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(SIGN_IN),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Lets no sign-in finish until it is released: each must write a session. */
async function holdSignIns(): Promise<{ release(): Promise<void> }> {
  const client = new pg.Client({ connectionString: loginUrls().owner });
  await client.connect();
  await client.query('BEGIN; LOCK TABLE identity.sessions IN ACCESS EXCLUSIVE MODE');
  return { release: () => client.end() };
}

/** Begins a request, has the server told to stop in its middle, and lets it go on. @returns its status */
async function stopAmidSignIn(url: string, stop: () => void): Promise<number> {
  const held = await holdSignIns();
  const status = signIn(url);
  await sleep(IN_FLIGHT_MS);
  stop();
  await sleep(IN_FLIGHT_MS);
  await held.release();
  return status;
}

beforeAll(async () => {
  project = copyProject();
  dataDir = makeTestDirectory();
  const watch = watchCommandLines();
  const server = start({}, ['npm', 'start']);
  const url = await server.ready();
  SIGN_IN.password = GENERATED_PASSWORD.exec(server.output)?.[1] ?? '';
  const signInStatus = await stopAmidSignIn(url, () => server.killGroup('SIGINT'));
  const ending = await server.ended;
  first = { output: server.output, ending, signInStatus, commandLines: watch.stop(), survivor: databaseRuns() };
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

describe('npm start, for the first time', () => {
  it('builds what it runs', () => {
    expect(first.output).toContain('> nest build');
    expect(existsSync(path.join(project.directory, 'dist', 'main.js'))).toBe(true);
  });

  it('says where the API, its documentation and the data are', () => {
    expect(first.output).toMatch(/^ {2}API +http:\/\/127\.0\.0\.1:\d+\/v1$/m);
    expect(first.output).toMatch(/^ {2}Docs +http:\/\/127\.0\.0\.1:\d+\/docs$/m);
    expect(first.output).toContain(`Data   ${pgData()} (embedded PostgreSQL)`);
  });

  it('prints a generated password that signs in', () => {
    expect(first.output).toMatch(GENERATED_PASSWORD);
    expect(first.signInStatus).toBe(200);
  });

  it('stops at Ctrl-C without an error, once the request under way is answered, and its database with it', () => {
    expect(first.signInStatus).toBe(200);
    expect(first.ending).toEqual({ code: 0, signal: null });
    expect(first.survivor).toBe(false);
  });

  it('shows no secret in its output, in the log of the database, or in any command line', () => {
    const passwords = Object.values(loginUrls()).map((url) => new URL(url).password);
    const superuser = readFileSync(path.join(dataDir, 'postgres', 'superuser-password'), 'utf8').trim();
    const secretKey = readFileSync(path.join(dataDir, 'secret.key'), 'utf8').trim();
    const databaseLog = readFileSync(path.join(dataDir, 'postgres', 'server.log'), 'utf8');
    const shown = { output: first.output, databaseLog, commandLines: first.commandLines.join('\n') };
    expect(shown.commandLines).toContain(pgData()); // or nothing was watched
    for (const [where, text] of Object.entries(shown)) {
      for (const secret of [...passwords, superuser, secretKey])
        expect({ where, has: text.includes(secret) }).toEqual({ where, has: false });
    }
    expect(first.output.split(SIGN_IN.password)).toHaveLength(3); // the line that shows it, and the example that uses it
    expect(databaseLog + shown.commandLines).not.toContain(SIGN_IN.password);
  });
});

describe('a later start', () => {
  it('keeps the data and prints no password', async () => {
    const server = start();
    const url = await server.ready();
    expect(await signIn(url)).toBe(200);
    expect(server.output).not.toContain('password');
  });

  it('passes SIGTERM on when npm gets it', async () => {
    const npm = start({}, ['npm', 'start']);
    await npm.ready();
    npm.kill('SIGTERM');
    expect(await npm.ended).toEqual({ code: 0, signal: null });
    expect(databaseRuns()).toBe(false);
  });

  it('stops at SIGTERM once the request under way is answered, whatever connections stand open', async () => {
    const server = start();
    const url = await server.ready();
    const unused = connect(Number(new URL(url).port), '127.0.0.1').resume();
    await once(unused, 'connect');
    const before = Date.now();
    expect(await stopAmidSignIn(url, () => server.kill('SIGTERM'))).toBe(200);
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(Date.now() - before).toBeLessThan(10_000); // connections are kept alive for a minute, a stop is cut short after 25 s
    expect(databaseRuns()).toBe(false);
  });

  it('stops its database too when it is told to stop while it still starts', async () => {
    const server = start();
    while (!databaseRuns()) await sleep(5);
    server.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(databaseRuns()).toBe(false);
  });

  it.each([
    ['alone', false],
    ['and its database', true],
  ])('recovers after a kill -9 of the process %s', async (_, databaseToo) => {
    const killed = start();
    await killed.ready();
    const postmaster = postmasterPid();
    killed.kill('SIGKILL');
    if (databaseToo) process.kill(postmaster, 'SIGKILL');
    await killed.ended;
    const server = start();
    expect(await signIn(await server.ready())).toBe(200);
    server.kill('SIGTERM');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(databaseRuns()).toBe(false);
  });
});

describe('a start that cannot be', () => {
  it('names a port that is taken, and leaves no database running', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as AddressInfo;
    const server = start({ PORT: String(port) });
    const ending = await server.ended;
    holder.close();
    expect(ending).toEqual({ code: 1, signal: null });
    expect(server.output).toContain(`address already in use 127.0.0.1:${port}\nSet PORT to a free one.\n`);
    expect(server.output).not.toMatch(/^ +at /m);
    expect(databaseRuns()).toBe(false);
  });

  it('names who holds the data directory, and does not harm that one', async () => {
    const holder = start();
    const url = await holder.ready();
    const second = start();
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.output).toContain(
      `The data directory ${dataDir} is in use by another Tenantry (process ${holder.pid}).\n`,
    );
    expect(second.output).not.toMatch(/^ +at /m);
    expect(holder.isRunning).toBe(true);
    expect(await signIn(url)).toBe(200);
  });

  it("gives PostgreSQL's reason for a bad migration, and leaves no database running", async () => {
    const migration = project.addMigration('CREATE TABLE app.later (id int);\n\nSELECT nonsense;\n');
    const server = start();
    const ending = await server.ended;
    project.removeMigration(migration);
    expect(ending).toEqual({ code: 1, signal: null });
    expect(server.output).toContain('The database migrations could not be applied.');
    expect(server.output).toContain(migration);
    expect(server.output).toContain('column "nonsense" does not exist');
    expect(server.output).not.toMatch(/Tenantry is up|^ +at /m);
    expect(databaseRuns()).toBe(false);
  });
});
