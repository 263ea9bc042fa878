import type { BoundedPool } from '../../src/database/bounded-pool';
import { Pools } from '../../src/database/pools';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { scrape } from '../support/scrape';
import { newTenantWithOwner } from '../support/tenant';

const MAX_POOL = 4;
const MAX_WAITING = 3;

const times = async (count: number, work: () => PromiseLike<unknown>): Promise<void> => {
  for (let round = 0; round < count; round += 1) await work();
};

describe('db_client_connection_…', () => {
  let small: TestApp;
  let pool: BoundedPool;
  beforeAll(async () => {
    small = await createTestApp({
      POSTGRES_POOL_SIZE: MAX_POOL,
      POSTGRES_MAX_WAITING: MAX_WAITING,
      POSTGRES_CONNECT_TIMEOUT_MS: 2_000,
    });
    pool = small.nest.get(Pools).app;
  });
  afterAll(() => small?.close());

  const ofPool = async () => {
    const now = await scrape(small);
    const value = (name: string, labels = {}): number | undefined =>
      now.value(`db_client_connection_${name}`, { pool: 'app', ...labels });
    return {
      used: value('count', { state: 'used' }),
      idle: value('count', { state: 'idle' }),
      max: value('max'),
      pending: value('pending_requests'),
      timeouts: value('timeouts_total'),
      shed: value('shed_total'),
      waits: value('wait_time_seconds_count'),
      uses: value('use_time_seconds_count'),
      made: value('create_time_seconds_count'),
      usedFor: value('use_time_seconds_sum'),
    };
  };

  it('tell who has a connection, who waits, and who got none', async () => {
    const before = await ofPool();
    expect(before).toMatchObject({ used: 0, max: MAX_POOL, pending: 0, timeouts: 0, shed: 0 });

    const held = await Promise.all(Array.from({ length: MAX_POOL }, () => pool.connect()));
    const waiting = Array.from({ length: MAX_WAITING }, () => pool.connect());
    const refused = Promise.allSettled(waiting);
    await expect(pool.connect()).rejects.toMatchObject({ code: 'too_busy' });
    expect(await ofPool()).toMatchObject({
      used: MAX_POOL,
      idle: 0,
      pending: MAX_WAITING,
      shed: 1,
      made: before.made! + MAX_POOL - before.idle!,
    });

    for (const outcome of await refused) expect(outcome).toMatchObject({ status: 'rejected' });
    for (const connection of held) connection.release();
    const after = await ofPool();
    expect(after).toMatchObject({
      used: 0,
      idle: MAX_POOL,
      pending: 0,
      timeouts: MAX_WAITING,
      shed: 1,
      waits: before.waits! + MAX_POOL + MAX_WAITING + 1,
      uses: before.uses! + MAX_POOL,
    });
    expect(after.usedFor! - before.usedFor!).toBeGreaterThan(MAX_POOL * 1); // each for as long as the others waited
  });
});

describe('tenant_requests_per_second', () => {
  it('tells the busiest tenants, the busiest first, and no other', async () => {
    const few = await createTestApp({ METRICS_BUSIEST_TENANTS: 2 });
    try {
      const tenants = [];
      for (const requests of [5, 60, 20]) {
        const { tenant, owner } = await newTenantWithOwner(few);
        await times(requests, () => owner.get(`/v1/tenants/${tenant.id}`).expect(200));
        tenants.push(tenant.id);
      }
      const [, busiest, second] = tenants;
      await eventually(async () => {
        const shown = (await scrape(few)).find('tenant_requests_per_second');
        expect(shown.map(({ labels }) => labels.tenant)).toEqual([busiest, second]);
        expect(shown[0]!.value).toBeGreaterThan(shown[1]!.value);
      });
    } finally {
      await few.close();
    }
  });

  it('tells none when told to', async () => {
    const none = await createTestApp({ METRICS_BUSIEST_TENANTS: 0 });
    try {
      const { tenant, owner } = await newTenantWithOwner(none);
      await times(5, () => owner.get(`/v1/tenants/${tenant.id}`).expect(200));
      expect((await scrape(none)).find('tenant_requests_per_second')).toEqual([]);
    } finally {
      await none.close();
    }
  });
});

describe('the event loop', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app?.close());

  it('is seen to lag when something blocks it', async () => {
    await scrape(app);
    const until = performance.now() + 300;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 20)); // the next tick of the histogram comes late
    expect((await scrape(app)).value('nodejs_eventloop_lag_max_seconds')).toBeGreaterThan(0.25);
  });
});
