import { PlatformDb } from '../../src/database/platform-db';
import { Pools } from '../../src/database/pools';
import { TenantDb } from '../../src/database/tenant-db';
import { newId } from '../../src/common/id';
import { newAccount } from '../support/account';
import { createTestApp, newAddress, newPassword, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { sendRaw } from '../support/raw-http';
import { type Scrape, scrape } from '../support/scrape';
import { type Cast, newTenant } from '../support/tenant';

let app: TestApp;
let cast: Cast;

beforeAll(async () => {
  app = await createTestApp();
  cast = await newTenant(app);
}, 60_000);
afterAll(() => app?.close());

const times = async (count: number, work: () => PromiseLike<unknown>): Promise<void> => {
  for (let round = 0; round < count; round += 1) await work();
};

/** Runs `work` and expects exactly this growth of a metric's series; an answer reaches its caller before it is counted. */
async function expectGrowth(
  name: string,
  work: () => Promise<unknown>,
  expected: Record<string, number>,
  counts: (series: string) => boolean = () => true,
): Promise<void> {
  const before = await settled(name, counts);
  await work();
  await eventually(async () => {
    const growth = Object.entries((await scrape(app)).growthSince(before, name)).filter(([series]) => counts(series));
    expect(Object.fromEntries(growth)).toEqual(expected);
  });
}

/** Scrapes until nothing moves any more. */
async function settled(name: string, counts: (series: string) => boolean): Promise<Scrape> {
  let last = await scrape(app);
  return eventually(async () => {
    const now = await scrape(app);
    const moved = Object.keys(now.growthSince(last, name)).filter(counts);
    last = now;
    expect(moved).toEqual([]);
    return now;
  });
}

describe('http_server_request_duration_seconds', () => {
  const COUNT = 'http_server_request_duration_seconds_count';
  const expectRequests = (work: () => Promise<unknown>, expected: Record<string, number>): Promise<void> =>
    expectGrowth(COUNT, work, expected, (series) => !series.includes('/metrics'));

  it('counts each request once, by method, template and status', async () => {
    const { tenant, owner, viewer } = cast;
    await expectRequests(
      async () => {
        await times(7, () => owner.get('/v1/auth/me').expect(200));
        await times(3, () => owner.get(`/v1/tenants/${newId()}`).expectProblem(404, 'not_found'));
        await times(4, () => viewer.delete(`/v1/tenants/${tenant.id}`).expectProblem(403, 'permission_missing'));
        await times(2, () => app.anonymous().post('/v1/auth/login', {}).expectProblem(422, 'invalid_input'));
        await app.anonymous().get('/health/live').expect(200);
      },
      {
        'GET /v1/auth/me 200': 7,
        'GET /v1/tenants/:tenantId 404': 3,
        'DELETE /v1/tenants/:tenantId 403': 4,
        'POST /v1/auth/login 422': 2,
        'GET /health/live 200': 1,
      },
    );
  });

  it('counts what has no route, what the router refuses, and methods that nobody knows', async () => {
    const { url } = app.target;
    await expectRequests(
      async () => {
        await times(2, () => app.anonymous().get('/no/such/path').expectProblem(404, 'route_not_found'));
        expect((await sendRaw(url, '/v1/tenants/%zz')).status).toBe(400);
        expect((await sendRaw(url, '/v1/auth/me', { method: 'PROPFIND' })).status).toBe(404);
        expect((await sendRaw(url, '/v1/auth/me', { method: 'HEAD' })).status).toBe(401);
      },
      {
        'GET unmatched 404': 2,
        'GET unmatched 400': 1,
        '_OTHER unmatched 404': 1,
        'HEAD /v1/auth/me 401': 1,
      },
    );
  });

  it('counts a caller who goes before the answer as 499', async () => {
    const { tenant, owner } = cast;
    const lock = await app.database.connect('admin');
    try {
      await lock.query('BEGIN');
      await lock.query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenant.id]);
      await expectRequests(
        async () => {
          const caller = new AbortController();
          const answer = fetch(`${app.target.url}/v1/tenants/${tenant.id}`, {
            method: 'PATCH',
            headers: { authorization: `Bearer ${owner.tokens.accessToken}`, 'content-type': 'application/json' },
            body: '{"name":"Never"}',
            signal: caller.signal,
          });
          const outcome = answer.catch((error: Error) => error.name);
          await eventually(async () => {
            const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = $1`;
            expect(await app.database.query('admin', waiting, [app.database.name])).toHaveLength(1);
          });
          caller.abort();
          expect(await outcome).toBe('AbortError');
        },
        { 'PATCH /v1/tenants/:tenantId 499': 1 },
      );
    } finally {
      await lock.end();
    }
  });
});

describe('sign_in_attempts_total', () => {
  it('counts each attempt by what came of it', async () => {
    const { person } = cast.owner;
    const disabled = await newAccount(app, { status: 'disabled' });
    const signIn = ({ email, password }: { email: string; password: string }, address = newAddress()) =>
      app.anonymous(address).post('/v1/auth/login', { email, password });
    await expectGrowth(
      'sign_in_attempts_total',
      async () => {
        await times(2, () => signIn(person).expect(200));
        await times(3, () => signIn({ ...person, password: newPassword() }).expectProblem(401, 'invalid_credentials'));
        await signIn(disabled).expectProblem(403, 'account_disabled');
      },
      { success: 2, invalid_credentials: 3, account_disabled: 1 },
    );
  });
});

describe('access_denied_total', () => {
  it('counts each refusal by subject and action', async () => {
    const { tenant, viewer, owner } = cast;
    await expectGrowth(
      'access_denied_total',
      async () => {
        await times(3, () => viewer.delete(`/v1/tenants/${tenant.id}`).expectProblem(403, 'permission_missing'));
        await times(2, () => owner.get('/health').expectProblem(403, 'permission_missing'));
        await owner.get(`/v1/tenants/${newId()}`).expectProblem(404, 'not_found'); // no permission would help
      },
      { 'Tenant delete': 3, 'Platform read-health': 2 },
    );
  });
});

describe('db_client_operation_duration_seconds and db_client_errors_total', () => {
  it('count each operation by its name, its model and what came of it', async () => {
    const { tenant } = cast;
    const [platform, tenants] = [app.nest.get(PlatformDb), app.nest.get(TenantDb)];
    // Those that no request makes, so that the scrapes do not count.
    const ours = (series: string): boolean => /^(groupBy|aggregate|\$queryRaw {2}22012)/.test(series);
    await expectGrowth(
      'db_client_operation_duration_seconds_count',
      async () => {
        await times(5, () => tenants.run(tenant.id, (tx) => tx.role.aggregate({ _count: true })));
        await times(2, () => platform.read((tx) => tx.user.groupBy({ by: ['status'] })));
        const failing = platform.run((tx) => tx.$queryRaw`SELECT 1 / 0`);
        await expect(failing).rejects.toThrow();
      },
      { 'aggregate Role ': 5, 'groupBy User ': 2, '$queryRaw  22012': 1 },
      ours,
    );
  });

  it('count what PostgreSQL refuses by login and class: an attempt at a name that is taken', async () => {
    const { tenant, owner } = cast;
    const role = { name: `Twice ${newId()}`, permissions: [] };
    await owner.post(`/v1/tenants/${tenant.id}/roles`, role).expect(201);
    const again = () =>
      times(3, () => owner.post(`/v1/tenants/${tenant.id}/roles`, role).expectProblem(409, 'role_name_taken'));
    await expectGrowth('db_client_errors_total', again, { 'app 23': 3 });
    await expectGrowth('db_client_operation_duration_seconds_count', again, { '$write  23505': 3 }, (series) =>
      series.startsWith('$write'),
    );
  });

  it('count a connection that the server ends', async () => {
    const { app: pool } = app.nest.get(Pools);
    await expectGrowth(
      'db_client_errors_total',
      async () => {
        const client = await pool.connect();
        await client.query('BEGIN'); // behind PgBouncer, both statements on one connection of the server
        const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        const underWay = client.query('SELECT pg_sleep(20)').catch((error: Error) => error);
        await app.database.query('admin', 'SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
        client.release((await underWay) as Error);
      },
      { 'app 57P': 1 },
    );
  });
});
