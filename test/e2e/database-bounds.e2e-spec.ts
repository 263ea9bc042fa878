import type pg from 'pg';
import { Pools } from '../../src/database/pools';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { newTenantWithOwner, type TestTenant, type UserClient } from '../support/tenant';

const LOCK_TIMEOUT_MS = 3_000;
const CONNECT_TIMEOUT_MS = 1_000;
const POOL_SIZE = 2;
const MAX_WAITING = 3;

let app: TestApp;
let tenant: TestTenant;
let owner: UserClient;
let locker: pg.Client;

beforeAll(async () => {
  app = await createTestApp({
    POSTGRES_POOL_SIZE: POOL_SIZE,
    POSTGRES_MAX_WAITING: MAX_WAITING,
    POSTGRES_LOCK_TIMEOUT_MS: LOCK_TIMEOUT_MS,
    POSTGRES_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS,
  });
  ({ tenant, owner } = await newTenantWithOwner(app));
  locker = await app.database.connect('admin');
});
afterEach(() => locker.query('ROLLBACK'));
afterAll(async () => {
  await locker.end();
  await app.close();
});

const lockMemberships = async (): Promise<void> => {
  await locker.query('BEGIN');
  await locker.query('LOCK TABLE app.memberships IN ACCESS EXCLUSIVE MODE');
};
const expectPoolAtRest = (): Promise<void> =>
  eventually(async () => {
    const { app: pool } = app.nest.get(Pools);
    expect([pool.totalCount - pool.idleCount, pool.waitingCount]).toEqual([0, 0]);
    await Promise.resolve();
  });
/** How many connections of the app login wait for a lock now. */
async function lockWaits(): Promise<number> {
  const [row] = await app.database.query<{ count: number }>(
    'admin',
    `SELECT count(*)::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND usename = 'tenantry_app' AND wait_event_type = 'Lock'`,
  );
  return row!.count;
}

describe('a database that is slow', () => {
  it('makes a request that waits too long for a lock fail as database_timeout', async () => {
    await lockMemberships();
    const { headers } = await owner.get(`/v1/tenants/${tenant.id}/users`).expectProblem(504, 'database_timeout');
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    await expectPoolAtRest();
  });

  it('lets as many callers wait as may, turns the others away at once, and serves again by itself', async () => {
    await lockMemberships();
    const start = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const { status, body, headers } = await owner.get<{ code: string }>(`/v1/tenants/${tenant.id}/users`);
        return { status, code: body.code, retryAfter: Number(headers['retry-after']), ms: performance.now() - start };
      }),
    );
    const count = (wanted: string): number => answers.filter(({ code }) => code === wanted).length;
    expect(count('database_timeout')).toBe(POOL_SIZE);
    expect(count('too_busy')).toBe(12 - POOL_SIZE);
    for (const { status, code, retryAfter } of answers) {
      expect(status).toBe(code === 'too_busy' ? 503 : 504);
      expect(retryAfter).toBeGreaterThan(0);
    }
    // Shed at once, or after the wait for a connection: before those that had one were given up on.
    const firstTimeout = Math.min(...answers.filter(({ status }) => status === 504).map(({ ms }) => ms));
    for (const { ms } of answers.filter(({ status }) => status === 503)) expect(ms).toBeLessThan(firstTimeout);
    await locker.query('ROLLBACK');
    await owner.get(`/v1/tenants/${tenant.id}/users`).expect(200);
    await expectPoolAtRest();
  });

  it('is not asked any further for a caller who has hung up: the statement is cancelled', async () => {
    await lockMemberships();
    const caller = new AbortController();
    const answer = fetch(`${app.target.url}/v1/tenants/${tenant.id}/users`, {
      headers: { authorization: `Bearer ${owner.tokens.accessToken}` },
      signal: caller.signal,
    }).catch((error: Error) => error.name);
    await eventually(async () => expect(await lockWaits()).toBe(1));
    const left = performance.now();
    caller.abort();
    expect(await answer).toBe('AbortError');
    await eventually(async () => expect(await lockWaits()).toBe(0));
    expect(performance.now() - left).toBeLessThan(LOCK_TIMEOUT_MS - 1_000); // and not because its own time was over
    await locker.query('ROLLBACK');
    await expectPoolAtRest();
    await owner.get(`/v1/tenants/${tenant.id}/users`).expect(200);
  });
});
