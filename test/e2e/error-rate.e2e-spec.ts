import { Env } from '../../src/config/env';
import type { ErrorRateSnapshot } from '../../src/monitoring/error-rates';
import type { ApiCall } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { type Cast, newTenantWithOwner } from '../support/tenant';

/** As many as wait for one lock at once; fewer than the connections that the tests' PgBouncer has to lend. */
const FAILING = 2;
const TEST_TIMEOUT_MS = 60_000;

interface Health {
  status: string;
  details: { error_rate: ErrorRateSnapshot & { status: string } };
}

let app: TestApp;
let cast: Pick<Cast, 'tenant' | 'owner'>;
const begin = async (overrides: Partial<Env>): Promise<void> => {
  app = await createTestApp({ ERROR_RATE_MIN_REQUESTS: 5, ...overrides });
  cast = await newTenantWithOwner(app);
};
afterEach(() => app?.close());

const health = async (): Promise<Health> => (await app.administrator.get<Health>('/health').expect(200)).body;

/** Requests that all wait for a lock on one row, until `meanwhile` is through and they are answered. */
async function blocked(
  expectAnswer: (call: ApiCall) => ApiCall,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const lock = await app.database.connect('admin');
  try {
    await lock.query('BEGIN');
    await lock.query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [cast.tenant.id]);
    const calls = Array.from({ length: FAILING }, (_, index) =>
      expectAnswer(cast.owner.patch(`/v1/tenants/${cast.tenant.id}`, { name: `Never ${index}` })).then(() => undefined),
    );
    await waitingBackends([]);
    await meanwhile();
    await Promise.all(calls);
  } finally {
    await lock.end();
  }
}

/** Those who all wait for the lock, once they are others than `before`. */
async function waitingBackends(before: readonly number[]): Promise<number[]> {
  return eventually(async () => {
    const rows = await app.database.query<{ pid: number }>(
      'admin',
      `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1 AND pid <> ALL ($2::int[])`,
      [app.database.name, before],
    );
    expect(rows).toHaveLength(FAILING);
    return rows.map(({ pid }) => pid);
  });
}

async function terminate(before: readonly number[]): Promise<number[]> {
  const pids = await waitingBackends(before);
  await app.database.query('admin', 'SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid', [pids]);
  return pids;
}

async function expectDegradedBy(sqlStateClass: string, count = FAILING): Promise<void> {
  await eventually(async () => {
    const { status, details } = await health();
    expect({ status, details }).toMatchObject({
      status: 'degraded',
      details: {
        error_rate: {
          status: 'degraded',
          windowSeconds: 300,
          http: { errors: { '5xx': { count: FAILING } } },
          database: { errors: { [sqlStateClass]: { count } } },
        },
      },
    });
    const { http, database } = details.error_rate;
    expect(http.share).toBeCloseTo(FAILING / http.requests, 3);
    expect(database.share).toBeCloseTo(count / database.attempts, 3);
  });
  await app.anonymous().get('/health/ready').expect(200, { status: 'ok' }); // it fails, and serves
}

describe('an instance on which statements take too long', () => {
  it(
    'is degraded beyond the share and the number of requests that are configured',
    async () => {
      await begin({ POSTGRES_STATEMENT_TIMEOUT_MS: 2_000, POSTGRES_LOCK_TIMEOUT_MS: 25_000 });
      expect((await health()).details.error_rate.status).toBe('up');
      await blocked((call) => call.expectProblem(504, 'database_timeout'));
      await expectDegradedBy('57');

      const env = app.nest.get(Env);
      const { requests, share } = (await health()).details.error_rate.http;
      const isUpWith = async (overrides: Partial<Env>): Promise<boolean> => {
        const before = { ...env };
        Object.assign(env, overrides);
        const { status } = (await health()).details.error_rate;
        Object.assign(env, before);
        return status === 'up';
      };
      expect(await isUpWith({ ERROR_RATE_DEGRADED: 1 })).toBe(true);
      expect(await isUpWith({ ERROR_RATE_DEGRADED: share / 2 })).toBe(false);
      expect(await isUpWith({ ERROR_RATE_MIN_REQUESTS: requests * 1_000 })).toBe(true);
      expect(await isUpWith({})).toBe(false);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('an instance whose connections are ended under it', () => {
  it(
    'is degraded',
    async () => {
      await begin({ POSTGRES_STATEMENT_TIMEOUT_MS: 25_000, POSTGRES_LOCK_TIMEOUT_MS: 25_000 });
      await blocked(
        (call) => call.expectProblem(503, 'database_unavailable'),
        // Each is repeated once on another connection.
        async () => terminate(await terminate([])),
      );
      await expectDegradedBy('57P', 2 * FAILING);
    },
    TEST_TIMEOUT_MS,
  );
});

describe('an instance whose callers are wrong all the time', () => {
  it('is not degraded: what they violate is told, and not judged', async () => {
    await begin({});
    const { tenant, owner } = cast;
    const role = { name: 'Taken', permissions: [] };
    await owner.post(`/v1/tenants/${tenant.id}/roles`, role).expect(201);
    for (let count = 0; count < 30; count += 1)
      await owner.post(`/v1/tenants/${tenant.id}/roles`, role).expectProblem(409, 'role_name_taken');
    await eventually(async () => {
      const { status, details } = await health();
      const { http, database } = details.error_rate;
      expect({ status, of: details.error_rate.status }).toEqual({ status: 'ok', of: 'up' });
      expect(http).toMatchObject({ errors: { '4xx': { count: 30 } }, share: 0 });
      expect(database).toMatchObject({ errors: { '23': { count: 30 } }, share: 0 });
    });
  });
});
