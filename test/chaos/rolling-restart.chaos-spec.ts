import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { eventually } from '../support/eventually';
import { printFault } from '../support/fault';
import { freePort } from '../support/free-port';
import { LoadBalancer } from '../support/load-balancer';
import { copyPreparedCluster } from '../support/prepared-cluster';
import { ServerProcess } from '../support/server-process';
import { type LoadReport, SteadyLoad, unexpected } from '../support/steady-load';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** Several probes of the balancer, on a busy machine too. */
const SHUTDOWN_DELAY_MS = 2_000;
/** How many are made before, and after. */
const WRITES = 20;
const ADMINISTRATOR = { email: 'administrator@tenantry.test', password: randomBytes(15).toString('base64url') };
const SECRET_KEY = randomBytes(32).toString('base64');

const directory = makeTestDirectory();
let project: ProjectCopy;
let database: EmbeddedDatabase | undefined;
let balancer: LoadBalancer | undefined;
let accessToken = '';
let tenantId: string;
/** Every process that was started, by the address that it has, the latest last. */
const instances = new Map<string, ServerProcess[]>();

/** As an operator starts it in production, but for a shorter delay. */
async function startInstance(url: string): Promise<ServerProcess> {
  const server = new ServerProcess(project.directory, {
    NODE_ENV: 'production',
    PORT: new URL(url).port,
    POSTGRES_URL: database!.urls.app,
    POSTGRES_PLATFORM_URL: database!.urls.platform,
    SECRET_KEY,
    SHUTDOWN_DELAY_MS: String(SHUTDOWN_DELAY_MS),
    BOOTSTRAP_ADMIN_EMAIL: ADMINISTRATOR.email,
    BOOTSTRAP_ADMIN_PASSWORD: ADMINISTRATOR.password,
    LOG_LEVEL: 'warn',
  });
  instances.set(url, [...(instances.get(url) ?? []), server]);
  await server.ready();
  return server;
}

async function post<Body>(route: string, body: object): Promise<Body> {
  const headers = {
    'content-type': 'application/json',
    ...(accessToken && { authorization: `Bearer ${accessToken}` }),
  };
  const response = await fetch(`${balancer!.url}${route}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Body;
}

/** The acknowledged writes that the database does not have. */
async function lostOf({ acknowledged }: LoadReport): Promise<string[]> {
  const client = new pg.Client({ connectionString: database!.urls.owner });
  await client.connect();
  await client.query(`SELECT set_config('app.tenant_id', $1, false)`, [tenantId]);
  const { rows } = await client.query<{ name: string }>('SELECT name FROM app.roles');
  await client.end();
  const stored = new Set(rows.map(({ name }) => name));
  return acknowledged.filter((name) => !stored.has(name));
}

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  await copyPreparedCluster(directory);
  database = await startEmbeddedDatabase(directory);
  const urls = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  for (const url of urls) await startInstance(url); // one after the other: the first makes the administrator
  balancer = await LoadBalancer.before(urls);
  ({ accessToken } = await post<{ accessToken: string }>('/v1/auth/login', ADMINISTRATOR));
  const owner = { email: 'owner@tenantry.test', name: 'Owner' };
  ({ id: tenantId } = await post<{ id: string }>('/v1/tenants', { name: 'Chaos', slug: 'chaos', owner }));
}, 90_000);

afterAll(async () => {
  for (const server of [...instances.values()].flat()) {
    if (server.isRunning) server.killGroup('SIGKILL');
    await server.ended;
  }
  await balancer?.close();
  await database?.stop();
  project?.remove();
  removeTestDirectory(directory);
}, 60_000);

describe('two instances behind a load balancer', () => {
  it('are restarted one after the other under load, and no request fails', async () => {
    const { url } = balancer!;
    const load = new SteadyLoad({ baseUrl: () => url, tenantId, accessToken });
    let report: LoadReport;
    try {
      await load.untilWritten(WRITES);
      for (const instance of instances.keys()) {
        const server = instances.get(instance)!.at(-1)!;
        server.kill('SIGTERM');
        expect(await server.ended).toEqual({ code: 0, signal: null });
        await startInstance(instance);
        while (!balancer!.uses(instance)) await sleep(50);
      }
      await load.untilWritten(WRITES);
    } finally {
      report = await load.stop();
    }
    const { outcomes } = report;
    printFault('two instances restarted in turn', { outcomes, lost: await lostOf(report) });
    expect(unexpected(outcomes, [200, 201])).toEqual([]);
    expect(await lostOf(report)).toEqual([]);
  }, 90_000);

  it('end no transaction in its middle', () => {
    const log = readFileSync(path.join(directory, 'postgres', 'server.log'), 'utf8');
    expect(log).toContain('ready to accept connections'); // or it is another file
    expect(log).not.toMatch(/unexpected EOF|connection to client lost|terminating connection/);
  });
});

describe('an instance that is told to stop', () => {
  it('says that it is not ready, serves on for a while, asks callers to go elsewhere, and ends with code 0', async () => {
    const [url] = [...instances.keys()];
    const server = instances.get(url!)!.at(-1)!;
    const toldAt = performance.now();
    server.kill('SIGTERM');
    await eventually(async () => expect((await fetch(`${url}/health/ready`)).status).toBe(503));
    const served = await fetch(`${url}/v1/tenants/${tenantId}/roles`, {
      headers: { authorization: `Bearer ${accessToken}` },
    });
    expect(served.status).toBe(200);
    expect(served.headers.get('connection')).toBe('close');
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - toldAt).toBeGreaterThanOrEqual(SHUTDOWN_DELAY_MS);
    await expect(fetch(`${url}/health/live`)).rejects.toThrow('fetch failed');
  });
});
