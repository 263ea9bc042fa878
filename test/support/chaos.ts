import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { type Env, readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { isPostmasterAlive } from '../../src/database/postmaster';
import { copyPreparedCluster } from './prepared-cluster';
import { SocketProxy } from './socket-proxy';
import type { LoadReport } from './steady-load';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

const POLL_MS = 10;
const ignore = (): void => undefined;
const EMAIL = 'administrator@tenantry.test';

/** A Tenantry on a server of its own, which a spec may hurt. */
export class ChaosStage {
  readonly directory = makeTestDirectory();
  database: EmbeddedDatabase;
  proxy: SocketProxy;
  app: NestFastifyApplication;
  url: string;
  accessToken: string;
  tenantId: string;
  /** What was logged at ERROR: a person must act. */
  readonly errors: string[] = [];
  starting: Promise<void> = Promise.resolve();
  private env: Env;
  private isDatabaseStopped = true;

  /** @param overrides of the configuration */
  static async set(overrides: Partial<Env> = {}): Promise<ChaosStage> {
    const stage = new ChaosStage();
    await copyPreparedCluster(stage.directory);
    await stage.startDatabase();
    stage.proxy = await SocketProxy.before(stage.database.urls.app);
    const password = randomBytes(15).toString('base64url');
    stage.env = Object.assign(readEnv({ NODE_ENV: 'test', DATA_DIR: stage.directory }), {
      BOOTSTRAP_ADMIN_EMAIL: EMAIL,
      BOOTSTRAP_ADMIN_PASSWORD: password,
      ...overrides,
    });
    stage.app = await stage.startInstance();
    stage.url = await stage.app.getUrl();
    await stage.app.get(BootstrapAdministrator).ensureAdministrator();
    stage.accessToken = (
      await stage.post<{ accessToken: string }>('/v1/auth/login', { email: EMAIL, password })
    ).accessToken;
    const owner = { email: 'owner@tenantry.test', name: 'Owner' };
    stage.tenantId = (await stage.post<{ id: string }>('/v1/tenants', { name: 'Chaos', slug: 'chaos', owner })).id;
    return stage;
  }

  async startDatabase(): Promise<void> {
    this.database = await startEmbeddedDatabase(this.directory);
    this.isDatabaseStopped = false;
  }

  /** Begins to; `starting` tells the end. It takes connections long before: its logins and schema are looked at first. */
  beginToStartDatabase(): void {
    this.starting = this.startDatabase();
  }

  async stopDatabase(): Promise<void> {
    this.isDatabaseStopped = true;
    await this.database.stop();
  }

  /** One more instance on the same database, listening on a port of its own. */
  async startInstance(): Promise<NestFastifyApplication> {
    const { app, platform } = this.database.urls;
    const urls = { app: this.proxy.urlOf(app), platform: this.proxy.urlOf(platform) };
    const logger = { log: ignore, warn: ignore, error: (message: unknown) => this.errors.push(String(message)) };
    const instance = await createApp(this.env, urls, logger);
    await instance.listen(0, '127.0.0.1');
    return instance;
  }

  async post<Body>(route: string, body: object): Promise<Body> {
    const headers = {
      'content-type': 'application/json',
      ...(this.accessToken && { authorization: `Bearer ${this.accessToken}` }),
    };
    const response = await fetch(`${this.url}${route}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Body;
  }

  async statusOf(route: string): Promise<number> {
    const response = await fetch(`${this.url}${route}`);
    await response.arrayBuffer();
    return response.status;
  }

  /** Resolves when the server, past the proxy, takes connections and answers. */
  async untilAccepting(boundMs: number): Promise<void> {
    const deadline = performance.now() + boundMs;
    for (;;) {
      try {
        await this.asOwner((client) => client.query('SELECT 1'));
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  /** @returns the milliseconds until the instance is ready again */
  async untilReady(boundMs: number): Promise<number> {
    const start = performance.now();
    while ((await this.statusOf('/health/ready')) !== 200) {
      if (performance.now() - start > boundMs) throw new Error(`not ready within ${boundMs} ms`);
      await sleep(POLL_MS);
    }
    return performance.now() - start;
  }

  /** Past the proxy, as the owner, in the tenant. */
  asOwner<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    return connected(this.database.urls.owner, async (client) => {
      await client.query(`SELECT set_config('app.tenant_id', $1, false)`, [this.tenantId]);
      return work(client);
    });
  }

  /** Past the proxy, above all policies. */
  asSuperuser<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const url = new URL(this.database.urls.owner);
    url.username = 'postgres';
    url.password = readFileSync(path.join(this.database.dataDir, '..', 'superuser-password'), 'utf8').trim();
    return connected(url.href, work);
  }

  /** The acknowledged writes that the database does not have. */
  async lostOf({ acknowledged }: LoadReport): Promise<string[]> {
    const { rows } = await this.asOwner((client) => client.query<{ name: string }>('SELECT name FROM app.roles'));
    const stored = new Set(rows.map(({ name }) => name));
    return acknowledged.filter((name) => !stored.has(name));
  }

  /** How many connections the server counts of an instance's logins, by what they call themselves. */
  async countBackends(): Promise<Record<string, number>> {
    const { rows } = await this.asSuperuser((client) =>
      client.query<{ name: string; count: number }>(
        `SELECT application_name AS name, count(*)::int AS count FROM pg_stat_activity
         WHERE application_name LIKE 'tenantry-%' AND usename <> 'postgres' GROUP BY 1`,
      ),
    );
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
  }

  /** Ends connections of these logins, whatever they are doing. @returns how many */
  async terminateBackends(condition = 'true', logins = ['tenantry_app']): Promise<number> {
    const { rowCount } = await this.asSuperuser((client) =>
      client.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ANY ($1) AND (${condition})`,
        [logins],
      ),
    );
    return rowCount ?? 0;
  }

  /** How many backends of the app login wait for a lock. */
  async countWaiting(): Promise<number> {
    const { rowCount } = await this.asSuperuser((client) =>
      client.query(`SELECT FROM pg_stat_activity WHERE usename = 'tenantry_app' AND wait_event_type = 'Lock'`),
    );
    return rowCount ?? 0;
  }

  /** Whoever started it (embedded-postgres.ts) starts it again. Resolves when the kill is done. */
  async killServer(): Promise<void> {
    const pid = Number(readFileSync(path.join(this.database.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGKILL');
    while (isPostmasterAlive(this.database.dataDir)) await sleep(POLL_MS);
  }

  /** All of it is taken down, whatever state a failed test has left. */
  async clear(): Promise<void> {
    await this.starting;
    this.proxy?.thaw();
    await this.app?.close();
    await this.proxy?.close();
    if (!this.isDatabaseStopped) await this.database.stop();
    removeTestDirectory(this.directory);
  }
}

async function connected<Result>(url: string, work: (client: pg.Client) => Promise<Result>): Promise<Result> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', ignore); // the statement under way fails with it and tells
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(ignore);
  }
}
