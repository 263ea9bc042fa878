import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import pg from 'pg';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { type Env, readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { SocketProxy } from './socket-proxy';
import type { LoadReport } from './steady-load';

const EMAIL = 'administrator@tenantry.test';

/** A Tenantry on a server of its own, which a spec may hurt. */
export class ChaosStage {
  readonly directory = mkdtempSync(path.join(tmpdir(), 'tenantry-chaos-'));
  database: EmbeddedDatabase;
  proxy: SocketProxy;
  app: NestFastifyApplication;
  url: string;
  accessToken: string;
  tenantId: string;
  private env: Env;

  /** @param overrides of the configuration */
  static async set(overrides: Partial<Env> = {}): Promise<ChaosStage> {
    const stage = new ChaosStage();
    chmodSync(stage.directory, 0o755); // the server's account must reach what lies in it
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
  }

  /** One more instance on the same database, listening on a port of its own. */
  async startInstance(): Promise<NestFastifyApplication> {
    const { app, platform } = this.database.urls;
    const urls = { app: this.proxy.urlOf(app), platform: this.proxy.urlOf(platform) };
    const instance = await createApp(this.env, urls, false);
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

  /** Milliseconds until the instance is ready again. */
  async untilReady(boundMs: number): Promise<number> {
    const start = performance.now();
    while ((await this.statusOf('/health/ready')) !== 200) {
      if (performance.now() - start > boundMs) throw new Error(`not ready within ${boundMs} ms`);
      await sleep(20);
    }
    return performance.now() - start;
  }

  /** Past the proxy, as the owner. */
  async asOwner<Result>(work: (client: pg.Client) => Promise<Result>): Promise<Result> {
    const client = new pg.Client({ connectionString: this.database.urls.owner });
    await client.connect();
    try {
      await client.query(`SELECT set_config('app.tenant_id', $1, false)`, [this.tenantId]);
      return await work(client);
    } finally {
      await client.end();
    }
  }

  /** The acknowledged writes that the database does not have. */
  async lostOf({ acknowledged }: LoadReport): Promise<string[]> {
    const { rows } = await this.asOwner((client) => client.query<{ name: string }>('SELECT name FROM app.roles'));
    const stored = new Set(rows.map(({ name }) => name));
    return acknowledged.filter((name) => !stored.has(name));
  }

  /** Ends every connection of the app login, whatever it is doing. Its own login may do that. */
  async terminateBackends(): Promise<void> {
    const client = new pg.Client({ connectionString: this.database.urls.app });
    await client.connect();
    await client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()',
    );
    await client.end();
  }

  killServer(): void {
    const pid = Number(readFileSync(path.join(this.database.dataDir, 'postmaster.pid'), 'utf8').split('\n')[0]);
    process.kill(pid, 'SIGKILL');
  }

  async clear(): Promise<void> {
    await this.app.close();
    await this.proxy.close();
    await this.database.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
