import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { StartupError } from '../../src/common/errors';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/database/embedded-postgres';
import { isRoot } from '../../src/database/unprivileged-account';
import { eventually } from '../support/eventually';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const OWNER_PROGRAM = path.join(__dirname, 'embedded-postgres-owner.cjs');
const POSTGRES_15 = '/usr/lib/postgresql/15/bin';
const asRootIt = isRoot() ? it : it.skip;
const withPostgres15It = existsSync(POSTGRES_15) ? it : it.skip;
const binDir = process.env.TEST_POSTGRES_BIN;
const ADVISORY_LOCKS = "SELECT FROM pg_locks WHERE locktype = 'advisory'";

let directory: string;
/** One cluster for the tests that need no first start: each leaves it stopped. */
let dataDir: string;
let running: EmbeddedPostgres[] = [];
let children: ChildProcess[] = [];

async function start(options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ dataDir, ...(binDir && { binDir }), ...options });
  running.push(server);
  return server;
}

/** Another process that owns the server. */
function spawnOwner(ownDataDir: string): ChildProcess {
  const child = spawn(process.execPath, [OWNER_PROGRAM, ownDataDir, ...(binDir ? [binDir] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function query<Row extends pg.QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

const startTimeOf = async (server: EmbeddedPostgres): Promise<string> => {
  const [row] = await query<{ time: string }>(server.adminUrl(), 'SELECT pg_postmaster_start_time()::text AS time');
  return row?.time ?? '';
};

const postmasterPid = (server: EmbeddedPostgres): number =>
  Number(readFileSync(path.join(server.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);

/** What a start that must fail says. */
async function refusal(starting: Promise<EmbeddedPostgres>): Promise<string> {
  const error = await starting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StartupError);
  return (error as StartupError).message;
}

beforeAll(() => {
  directory = makeTestDirectory();
  dataDir = directory;
});

afterEach(async () => {
  await Promise.all(children.map(kill));
  await Promise.all(running.map((server) => server.stop()));
  children = [];
  running = [];
});

afterAll(() => removeTestDirectory(directory));

describe('startEmbeddedPostgres', () => {
  it('listens on a closed unix socket alone and asks everybody for a SCRAM password', async () => {
    const server = await start();
    const [facts] = await query<{ addresses: string; sockets: string; encryption: string; locale: string }>(
      server.adminUrl(),
      `SELECT current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets,
              (SELECT string_agg(DISTINCT auth_method, ', ') FROM pg_hba_file_rules) AS encryption,
              (SELECT pg_encoding_to_char(encoding) || ' ' || datcollate FROM pg_database WHERE datname = 'template1') AS locale`,
    );
    expect(facts).toMatchObject({ addresses: '', encryption: 'scram-sha-256', locale: 'UTF8 C' });
    expect(statSync(facts?.sockets ?? '').mode & 0o077).toBe(0);
    expect(statSync(path.join(server.dataDir, '..', 'superuser-password')).mode & 0o777).toBe(0o600);
    const stranger = server.adminUrl().replace(/postgres:[^@]*@/, 'postgres:wrong@');
    await expect(query(stranger, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('keeps the data and takes new settings at the next start; stops twice without a word', async () => {
    const first = await start();
    await query(first.adminUrl(), `CREATE TABLE kept AS SELECT 'row' AS value`);
    await first.stop();
    await first.stop();
    const second = await start({ settings: { work_mem: '5MB', 'tenantry.note': "it's" } });
    expect(second.dataDir).toBe(first.dataDir);
    expect(await query(second.adminUrl(), 'SELECT value FROM kept')).toEqual([{ value: 'row' }]);
    const settings = `SELECT current_setting('work_mem') AS memory, current_setting('tenantry.note') AS note`;
    expect(await query(second.adminUrl(), settings)).toEqual([{ memory: '5MB', note: "it's" }]);
  });

  it('refuses a data directory in use, and leaves its server running', async () => {
    const first = await start();
    const message = await refusal(start());
    expect(message).toContain(realpathSync(dataDir));
    expect(message).toContain(`process ${process.pid}`);
    expect(message).toContain('DATA_DIR');
    expect(await query(first.adminUrl(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('adopts the server of a killed process', async () => {
    const owner = spawnOwner(dataDir);
    await once(owner.stdout as NodeJS.ReadableStream, 'data');
    const pid = postmasterPid({ dataDir: path.join(dataDir, 'postgres', 'data') } as EmbeddedPostgres);
    await kill(owner);
    const server = await start();
    expect(postmasterPid(server)).toBe(pid);
    await server.stop();
    expect(existsSync(path.join(server.dataDir, 'postmaster.pid'))).toBe(false);
  });

  it('recovers what was committed when process and server are killed', async () => {
    const owner = spawnOwner(dataDir);
    await once(owner.stdout as NodeJS.ReadableStream, 'data');
    const pgData = path.join(dataDir, 'postgres', 'data');
    const password = readFileSync(path.join(dataDir, 'postgres', 'superuser-password'), 'utf8');
    const socket = readFileSync(path.join(pgData, 'postmaster.pid'), 'utf8').split('\n')[4] ?? '';
    await query(
      `postgresql://postgres:${password}@localhost/postgres?host=${encodeURIComponent(socket)}`,
      'CREATE TABLE survivor AS SELECT 1 AS id',
    );
    await kill(owner);
    process.kill(postmasterPid({ dataDir: pgData } as EmbeddedPostgres), 'SIGKILL');
    const server = await start();
    expect(await query(server.adminUrl(), 'SELECT id FROM survivor')).toEqual([{ id: 1 }]);
  });

  it('starts a server again that is killed under it', async () => {
    const server = await start();
    const before = await startTimeOf(server);
    process.kill(postmasterPid(server), 'SIGKILL');
    await eventually(async () => expect(await startTimeOf(server)).not.toBe(before));
    await eventually(async () => expect(await query(server.adminUrl(), ADVISORY_LOCKS)).toHaveLength(1));
    expect(await refusal(start())).toContain('in use'); // the lock was taken again
  });

  it('believes no postmaster.pid whose number belongs to another process', async () => {
    const { dataDir: pgData, stop } = await start().then((server) => ({
      dataDir: server.dataDir,
      stop: () => server.stop(),
    }));
    await stop();
    const stale = [process.pid, pgData, Math.floor(Date.now() / 1000), 5432, '', '', '', 'ready', ''].join('\n');
    writeFileSync(path.join(pgData, 'postmaster.pid'), stale);
    const server = await start();
    expect(await query(server.adminUrl(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('says which version made a cluster that it cannot run', async () => {
    const server = await start();
    await server.stop();
    const file = path.join(server.dataDir, 'PG_VERSION');
    const version = readFileSync(file, 'utf8');
    writeFileSync(file, '13\n');
    const message = await refusal(start());
    writeFileSync(file, version);
    expect(message).toContain('was made by PostgreSQL 13');
    expect(message).toContain(realpathSync(dataDir));
  });

  it("gives the server's own reason when it does not start", async () => {
    const message = await refusal(start({ settings: { work_mem: 'plenty' } }));
    expect(message).toContain('work_mem');
  });
});

describe('the first start', () => {
  let own: string;

  beforeEach(() => {
    own = makeTestDirectory();
  });

  afterEach(async () => {
    await Promise.all(children.map(kill));
    await Promise.all(running.map((server) => server.stop()));
    chmodSync(own, 0o755);
    removeTestDirectory(own);
  });

  it('leaves nothing half-made when it is killed', async () => {
    const owner = spawnOwner(own);
    const isBegun = (): boolean => readdirSync(own).some((name) => existsSync(path.join(own, name, 'data', 'base')));
    while (!isBegun()) await sleep(5);
    await kill(owner);
    expect(existsSync(path.join(own, 'postgres'))).toBe(false);
    const server = await start({ dataDir: own });
    expect(await query(server.adminUrl(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(readdirSync(own)).toEqual(['postgres']);
  });

  it('goes to one of two processes that make it at once', async () => {
    const outcomes = await Promise.allSettled([start({ dataDir: own }), start({ dataDir: own })]);
    expect(outcomes.map((outcome) => outcome.status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = outcomes.find((outcome) => outcome.status === 'rejected');
    expect(refused?.reason).toBeInstanceOf(StartupError);
    expect(String(refused?.reason)).toContain('in use');
  });

  it('puts the socket elsewhere when its path would be too long', async () => {
    const deep = path.join(own, 'd'.repeat(100));
    mkdirSync(deep);
    const server = await start({ dataDir: deep });
    const socket = decodeURIComponent(server.adminUrl().split('host=')[1] ?? '');
    expect(socket.length).toBeLessThan(90);
    expect(await query(server.adminUrl(), 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    await server.stop();
    rmSync(socket, { recursive: true });
  });

  asRootIt('puts the cluster below /var/lib/tenantry when its account cannot reach the data directory', async () => {
    chmodSync(own, 0o700);
    const server = await start({ dataDir: own });
    expect(lstatSync(path.join(own, 'postgres')).isSymbolicLink()).toBe(true);
    expect(server.dataDir).toMatch(/^\/var\/lib\/tenantry\/[0-9a-f]{12}-[0-9a-f]{6}\/data$/);
    expect(statSync(own).mode & 0o777).toBe(0o700); // not opened
    await query(server.adminUrl(), `CREATE TABLE kept AS SELECT 1 AS id`);
    await server.stop();
    const again = await start({ dataDir: own });
    expect(await query(again.adminUrl(), 'SELECT id FROM kept')).toEqual([{ id: 1 }]);
  });

  withPostgres15It("runs on Debian's PostgreSQL 15", async () => {
    const server = await start({ dataDir: own, binDir: POSTGRES_15 });
    const [row] = await query<{ server_version: string }>(server.adminUrl(), 'SHOW server_version');
    expect(row?.server_version).toMatch(/^15\./);
  });
});
