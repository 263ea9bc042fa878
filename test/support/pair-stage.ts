import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { type Env, readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { ReplicatedPair } from './replicated-pair';

const EMAIL = 'administrator@tenantry.test';
const ignore = (): void => undefined;

interface PairStageOptions {
  /** Overrides of the configuration. */
  env?: Partial<Env>;
  /** Is the standby the replica for reads? Otherwise it is the second host of the primary's URL. */
  readsFromStandby?: boolean;
}

/** A Tenantry on a primary with a synchronous standby. */
export class PairStage {
  app: NestFastifyApplication;
  url: string;
  accessToken = '';
  tenantId: string;
  /** What was logged at ERROR: a person must act. */
  readonly errors: string[] = [];

  private constructor(readonly pair: ReplicatedPair) {}

  static async set({ env = {}, readsFromStandby = false }: PairStageOptions = {}): Promise<PairStage> {
    const stage = new PairStage(await ReplicatedPair.start());
    try {
      await stage.start(env, readsFromStandby);
      return stage;
    } catch (error) {
      await stage.clear();
      throw error;
    }
  }

  async statusOf(route: string): Promise<number> {
    const response = await fetch(`${this.url}${route}`);
    await response.arrayBuffer();
    return response.status;
  }

  /** @throws Error unless it succeeds */
  async call<Body>(method: 'GET' | 'POST', route: string, body?: object): Promise<Body> {
    const headers = {
      ...(body && { 'content-type': 'application/json' }),
      ...(this.accessToken && { authorization: `Bearer ${this.accessToken}` }),
    };
    const response = await fetch(`${this.url}${route}`, {
      method,
      headers,
      ...(body && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Body;
  }

  async clear(): Promise<void> {
    await this.app?.close();
    await this.pair.stop();
  }

  private async start(overrides: Partial<Env>, readsFromStandby: boolean): Promise<void> {
    const { pair } = this;
    const password = randomBytes(15).toString('base64url');
    const env = Object.assign(readEnv({ NODE_ENV: 'test' }), {
      SECRET_KEY: randomBytes(32).toString('base64'),
      BOOTSTRAP_ADMIN_EMAIL: EMAIL,
      BOOTSTRAP_ADMIN_PASSWORD: password,
      ...overrides,
    });
    const logger = { log: ignore, warn: ignore, error: (message: unknown) => this.errors.push(String(message)) };
    const urls = readsFromStandby
      ? {
          app: pair.urlOf('app', [pair.primary]),
          platform: pair.urlOf('platform', [pair.primary]),
          replica: pair.urlOf('app', [pair.standby]),
        }
      : { app: pair.urlOfBoth('app'), platform: pair.urlOfBoth('platform') };
    this.app = await createApp(env, urls, logger);
    await this.app.listen(0, '127.0.0.1');
    this.url = await this.app.getUrl();
    await this.app.get(BootstrapAdministrator).ensureAdministrator();
    const login = { email: EMAIL, password };
    ({ accessToken: this.accessToken } = await this.call<{ accessToken: string }>('POST', '/v1/auth/login', login));
    const owner = { email: 'owner@tenantry.test', name: 'Owner' };
    const tenant = { name: 'Chaos', slug: 'chaos', owner };
    ({ id: this.tenantId } = await this.call<{ id: string }>('POST', '/v1/tenants', tenant));
  }
}
