import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BootstrapAdministrator } from '../../src/auth/bootstrap-administrator';
import { readEnv } from '../../src/config/env';
import { createApp } from '../../src/create-app';
import { Pools } from '../../src/database/pools';
import { ReplicatedPair } from '../support/replicated-pair';
import { countStatuses, SteadyLoad } from '../support/steady-load';

const CONNECT_TIMEOUT_MS = 1_000;
/** From the moment that the standby takes writes until one of ours is acknowledged; generous, the machine is busy. */
const RECOVERY_BOUND_MS = 5_000;
const ADMINISTRATOR = { email: 'administrator@tenantry.test', password: randomBytes(15).toString('base64url') };

let pair: ReplicatedPair;
let app: NestFastifyApplication;
let url: string;
let accessToken: string;
let tenantId: string;
/** What was logged at ERROR: a person must act. Nobody needs to here. */
const errors: string[] = [];

beforeAll(async () => {
  pair = await ReplicatedPair.start();
  const env = Object.assign(readEnv({ NODE_ENV: 'test' }), {
    SECRET_KEY: randomBytes(32).toString('base64'),
    POSTGRES_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS,
    BOOTSTRAP_ADMIN_EMAIL: ADMINISTRATOR.email,
    BOOTSTRAP_ADMIN_PASSWORD: ADMINISTRATOR.password,
  });
  const quiet = {
    log: () => undefined,
    warn: () => undefined,
    error: (message: unknown) => errors.push(String(message)),
  };
  app = await createApp(env, { app: pair.urlOfBoth('app'), platform: pair.urlOfBoth('platform') }, quiet);
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
  await app.get(BootstrapAdministrator).ensureAdministrator();
  ({ accessToken } = await post<{ accessToken: string }>('/v1/auth/login', ADMINISTRATOR));
  const owner = { email: 'owner@tenantry.test', name: 'Owner' };
  ({ id: tenantId } = await post<{ id: string }>('/v1/tenants', { name: 'Chaos', slug: 'chaos', owner }));
}, 60_000);

afterAll(async () => {
  await app?.close();
  await pair?.stop();
});

async function post<Body>(route: string, body: object): Promise<Body> {
  const headers = {
    'content-type': 'application/json',
    ...(accessToken && { authorization: `Bearer ${accessToken}` }),
  };
  const response = await fetch(`${url}${route}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Body;
}

async function statusOf(route: string): Promise<number> {
  const response = await fetch(`${url}${route}`);
  await response.arrayBuffer();
  return response.status;
}

describe('a failover under load', () => {
  it('moves to the promoted standby: writes resume by themselves, and none that was acknowledged is lost', async () => {
    const load = new SteadyLoad({ baseUrl: () => url, tenantId, accessToken });
    await sleep(500);
    const killedAt = performance.now();
    await pair.primary.kill();

    // The primary is dead and the standby still one: the application says so, and lives.
    const meanwhile: [live: number, ready: number][] = [];
    for (let probe = 0; probe < 10; probe += 1) {
      await sleep(100);
      meanwhile.push([await statusOf('/health/live'), await statusOf('/health/ready')]);
    }
    expect(meanwhile.slice(5)).toEqual(Array(5).fill([200, 503]));

    await pair.standby.promote();
    const promotedAt = performance.now();
    await sleep(RECOVERY_BOUND_MS);
    const { outcomes, acknowledged } = await load.stop();

    const resumed = outcomes.find(({ kind, status, at }) => kind === 'write' && status === 201 && at > promotedAt);
    const recoveryMs = (resumed?.at ?? Infinity) - promotedAt;
    const outageMs = (resumed?.at ?? Infinity) - killedAt;
    process.stdout.write(
      `failover: writes resumed ${recoveryMs.toFixed(0)} ms after the promotion, ${outageMs.toFixed(0)} ms after the loss\n`,
    );
    expect(recoveryMs).toBeLessThan(RECOVERY_BOUND_MS);

    expect(errors).toEqual([]);
    const statuses = countStatuses(outcomes);
    expect(Object.keys(statuses).filter((status) => !['200', '201', '503', '504'].includes(status))).toEqual([]);
    expect(statuses[503]).toBeGreaterThan(0);
    const last = outcomes.slice(-50);
    expect(countStatuses(last)[503]).toBeUndefined();

    const stored = await pair.query<{ name: string }>(pair.standby, 'SELECT name FROM app.roles');
    const names = new Set(stored.map(({ name }) => name));
    expect(acknowledged.length).toBeGreaterThan(50);
    expect(acknowledged.filter((name) => !names.has(name))).toEqual([]);
    expect(await statusOf('/health/ready')).toBe(200);
  }, 60_000);

  it('leaves no connection behind', () => {
    const { app: pool, platform } = app.get(Pools);
    for (const { totalCount, idleCount, waitingCount } of [pool, platform]) {
      expect([totalCount - idleCount, waitingCount]).toEqual([0, 0]);
    }
  });
});
