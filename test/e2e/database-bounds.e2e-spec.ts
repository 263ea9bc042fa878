import type pg from 'pg';
import { buildAbility } from '../../src/access/ability';
import { accessDenied } from '../../src/access/access-denied';
import type { Caller } from '../../src/access/actor';
import { DenialRecorder } from '../../src/audit/denial-recorder';
import { SigningKeysService } from '../../src/auth/signing-keys.service';
import { Clock } from '../../src/common/clock';
import { newId } from '../../src/common/id';
import { whileWanted } from '../../src/database/abandonment';
import { Pools } from '../../src/database/pools';
import { HealthService } from '../../src/health/health.service';
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

describe('what is done for others than a caller who has hung up', () => {
  /** Runs `work` as within a request whose caller has gone. */
  const asGone = <Result>(work: () => Result): Result => whileWanted(AbortSignal.abort(), work);

  it('frees his Idempotency-Key: sent again, it works', async () => {
    await locker.query('BEGIN');
    await locker.query('LOCK TABLE app.roles IN SHARE MODE'); // read, and not written
    const path = `/v1/tenants/${tenant.id}/roles`;
    const role = { name: 'Asked for twice', permissions: [] };
    const caller = new AbortController();
    const answer = fetch(`${app.target.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${owner.tokens.accessToken}`,
        'content-type': 'application/json',
        'idempotency-key': 'hung-up',
      },
      body: JSON.stringify(role),
      signal: caller.signal,
    }).catch((error: Error) => error.name);
    await eventually(async () => expect(await lockWaits()).toBe(1));
    caller.abort();
    expect(await answer).toBe('AbortError');
    await eventually(async () => expect(await lockWaits()).toBe(0));
    await locker.query('ROLLBACK');
    await eventually(async () => {
      const { status } = await owner.post(path, role).set('idempotency-key', 'hung-up');
      expect(status).toBe(201);
    });
  });

  it('records that he was refused', async () => {
    const { body } = await owner.get<{ id: string; email: string; name: string }>('/v1/auth/me');
    const caller: Caller = {
      accountId: body.id,
      sessionId: newId(),
      email: body.email,
      name: body.name,
      isPlatformAdministrator: false,
      ability: buildAbility([]),
      origin: { ip: '198.18.0.1', userAgent: undefined, requestId: newId() } as unknown as Caller['origin'],
    };
    asGone(() => accessDenied.publish({ caller, action: 'read', subject: 'Nothing' }));
    await app.nest.get(DenialRecorder).flush();
    const rows = await app.database.query(
      'admin',
      `SELECT FROM audit.events WHERE action = 'access.denied' AND after ->> 'permission' = 'read Nothing'`,
    );
    expect(rows).toHaveLength(1);
  });

  it('reads the signing keys that all wait for, and asks how the instance is', async () => {
    jest.spyOn(app.nest.get(Clock), 'now').mockReturnValue(new Date(Date.now() + 10 * 60_000)); // those read are too old
    try {
      await expect(asGone(() => app.nest.get(SigningKeysService).publicKeys())).resolves.not.toHaveLength(0);
    } finally {
      jest.restoreAllMocks();
    }
    await expect(asGone(() => app.nest.get(HealthService).assertReady())).resolves.toBeUndefined();
  });
});
