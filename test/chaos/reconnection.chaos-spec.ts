import { setTimeout as sleep } from 'node:timers/promises';
import { Pools } from '../../src/database/pools';
import { ChaosStage } from '../support/chaos';
import { countStatuses, SteadyLoad } from '../support/steady-load';

const POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** pool.ts: the client gives up so much later than the server. */
const CLIENT_GRACE_MS = 2_000;
/** The promise: ready again so soon after the server's return. */
const READY_WITHIN_MS = 2_000;

let stage: ChaosStage;
beforeAll(async () => {
  stage = await ChaosStage.set({
    POSTGRES_POOL_SIZE: POOL_SIZE,
    POSTGRES_STATEMENT_TIMEOUT_MS: STATEMENT_TIMEOUT_MS,
    POSTGRES_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS,
  });
}, 60_000);
afterAll(() => stage.clear());

/** Load before, during and after a fault; what callers saw, and what was lost. */
async function under(fault: () => Promise<void>) {
  const load = new SteadyLoad({ baseUrl: () => stage.url, tenantId: stage.tenantId, accessToken: stage.accessToken });
  await sleep(300);
  await fault();
  const readyAfterMs = await stage.untilReady(READY_WITHIN_MS);
  const recoveredAt = performance.now();
  await sleep(500);
  const report = await load.stop();
  const after = report.outcomes.filter(({ at, ms }) => at - ms > recoveredAt);
  return { ...report, readyAfterMs, after, lost: await stage.lostOf(report), statuses: countStatuses(report.outcomes) };
}

function expectNoLeak(): void {
  const { app } = stage.app.get(Pools);
  expect(app.totalCount).toBeLessThanOrEqual(POOL_SIZE);
  expect(app.totalCount - app.idleCount).toBe(0);
  expect(app.waitingCount).toBe(0);
}

const longest = (outcomes: readonly { ms: number }[]): number => Math.max(...outcomes.map(({ ms }) => ms));

describe('Tenantry under load', () => {
  it('answers 503 while the server is stopped, stays alive, and is ready again by itself', async () => {
    const during: number[] = [];
    const result = await under(async () => {
      await stage.database.stop();
      for (let probe = 0; probe < 10; probe += 1) {
        during.push(await stage.statusOf('/health/live'), await stage.statusOf('/health/ready'));
        await sleep(100);
      }
      await stage.startDatabase();
    });
    expect(during.filter((_, index) => index % 2 === 0)).toEqual(Array(10).fill(200)); // alive, each time
    expect(during.slice(-6)).toEqual([200, 503, 200, 503, 200, 503]);
    expect(Object.keys(result.statuses).map(Number)).toEqual([200, 201, 503]);
    expect(longest(result.outcomes)).toBeLessThan(CONNECT_TIMEOUT_MS + CLIENT_GRACE_MS);
    expect(result.lost).toEqual([]);
    expect(countStatuses(result.after)[503]).toBeUndefined();
    expectNoLeak();
  });

  it('survives the server being killed', async () => {
    const result = await under(async () => {
      stage.killServer();
      await sleep(1_500);
    });
    expect(
      Object.keys(result.statuses)
        .map(Number)
        .filter((status) => ![200, 201, 503].includes(status)),
    ).toEqual([]);
    expect(result.lost).toEqual([]);
    expectNoLeak();
  });

  it('hides terminated backends from readers, and never repeats a write', async () => {
    const result = await under(async () => {
      for (let round = 0; round < 10; round += 1) {
        await stage.terminateBackends();
        await sleep(100);
      }
    });
    const reads = countStatuses(result.outcomes.filter(({ kind }) => kind === 'read'));
    expect(
      Object.keys(reads)
        .map(Number)
        .filter((status) => ![200, 503].includes(status)),
    ).toEqual([]);
    expect((reads[503] ?? 0) / reads[200]!).toBeLessThan(0.05); // killed twice in a row
    expect(result.lost).toEqual([]);
    expectNoLeak();
  });

  it('answers within its bounds while the network swallows everything', async () => {
    const result = await under(async () => {
      stage.proxy.freeze();
      await sleep(5_000);
      expect(await stage.statusOf('/health/live')).toBe(200);
      stage.proxy.thaw();
    });
    expect(
      Object.keys(result.statuses)
        .map(Number)
        .filter((status) => ![200, 201, 503, 504].includes(status)),
    ).toEqual([]);
    // One statement that is never answered, then the wait for a connection that is never made.
    expect(longest(result.outcomes)).toBeLessThan(
      STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS + 2 * CONNECT_TIMEOUT_MS + 1_000,
    );
    expect(result.lost).toEqual([]);
    expectNoLeak();
  });
});
