import { setTimeout as sleep } from 'node:timers/promises';
import { Pools } from '../../src/database/pools';
import { ChaosStage } from '../support/chaos';
import { eventually } from '../support/eventually';
import { type FaultReport, printFault, underLoad } from '../support/fault';
import { longest, unexpected } from '../support/steady-load';

const POOL_SIZE = 4;
const PLATFORM_POOL_SIZE = 2;
const STATEMENT_TIMEOUT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** pool.ts: the client gives up so much later than the server. */
const CLIENT_GRACE_MS = 2_000;
/**
 * No answer takes longer: one statement that is never answered, then the wait for a connection that is never made, twice
 * (a read is repeated); and a second for a busy machine.
 */
const LONGEST_MS = STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS + 2 * CONNECT_TIMEOUT_MS + 1_000;
/** How long a server is gone: readiness, which keeps an answer for half a second, tells it by then. */
const OUTAGE_MS = 1_200;
/** A network that swallows everything fails nothing until a bound is over. */
const BLACK_HOLE_MS = 5_000;

let stage: ChaosStage;
beforeAll(async () => {
  stage = await ChaosStage.set({
    POSTGRES_POOL_SIZE: POOL_SIZE,
    POSTGRES_PLATFORM_POOL_SIZE: PLATFORM_POOL_SIZE,
    POSTGRES_STATEMENT_TIMEOUT_MS: STATEMENT_TIMEOUT_MS,
    POSTGRES_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS,
  });
}, 60_000);
afterAll(() => stage?.clear());

/** Lets a fault last so long; at its end the instance is not ready. */
async function expectNotReadyAfter(forMs: number): Promise<void> {
  await sleep(forMs);
  expect(await stage.statusOf('/health/ready')).toBe(503);
}

/** What holds of each fault. */
async function expectSurvived(fault: string, report: FaultReport): Promise<void> {
  printFault(fault, report);
  expect(unexpected(report.outcomes, [200, 201, 503, 504])).toEqual([]);
  expect(longest(report.outcomes)).toBeLessThan(LONGEST_MS);
  expect(report.acknowledged.length).toBeGreaterThan(0);
  expect(report.lost).toEqual([]);
  expect([...report.liveness]).toEqual([200]);
  expect(report.after.length).toBeGreaterThan(0);
  expect(unexpected(report.after, [200, 201])).toEqual([]);
  expect(stage.errors).toEqual([]);
  await expectNoLeak();
}

async function expectNoLeak(): Promise<void> {
  const { app, platform } = stage.app.get(Pools);
  for (const pool of [app, platform]) expect([pool.totalCount - pool.idleCount, pool.waitingCount]).toEqual([0, 0]);
  expect(app.totalCount).toBeLessThanOrEqual(POOL_SIZE);
  expect(platform.totalCount).toBeLessThanOrEqual(PLATFORM_POOL_SIZE);
  // The server learns of a cut connection a moment later.
  await eventually(async () => {
    const { 'tenantry-app': ofApp = 0, 'tenantry-platform': ofPlatform = 0 } = await stage.countBackends();
    expect({ ofApp, ofPlatform }).toEqual({ ofApp: app.totalCount, ofPlatform: platform.totalCount });
  });
}

describe('Tenantry under load', () => {
  it('answers 503 while the server is stopped, stays alive, and is ready again by itself', async () => {
    const report = await underLoad(stage, async () => {
      await stage.stopDatabase();
      await expectNotReadyAfter(OUTAGE_MS);
      stage.beginToStartDatabase();
    });
    await expectSurvived('server stopped, started 1.2 s later', report);
  });

  it('survives a restart of the server', async () => {
    const report = await underLoad(stage, async () => {
      await stage.stopDatabase();
      stage.beginToStartDatabase();
    });
    await expectSurvived('server restarted', report);
  });

  it('survives the server being killed', async () => {
    const report = await underLoad(stage, () => stage.killServer());
    await expectSurvived('server killed (SIGKILL), restarted', report);
  });

  it('hides terminated backends from readers', async () => {
    const report = await underLoad(stage, async (load) => {
      for (let round = 0; round < 10; round += 1) {
        await stage.terminateBackends();
        await load.untilWritten(2);
      }
    });
    await expectSurvived('every connection terminated, 10 times', report);
    const reads = report.outcomes.filter(({ kind }) => kind === 'read');
    expect(unexpected(reads, [200]).length / reads.length).toBeLessThan(0.2); // whose second connection died as well
  });

  it('answers within its bounds while the network swallows everything', async () => {
    const report = await underLoad(stage, async () => {
      stage.proxy.freeze();
      await expectNotReadyAfter(BLACK_HOLE_MS);
      stage.proxy.thaw();
    });
    await expectSurvived('network swallows everything for 5 s', report);
  });

  it('answers at once while connections are refused', async () => {
    const report = await underLoad(stage, async () => {
      await stage.proxy.refuse();
      await expectNotReadyAfter(OUTAGE_MS);
      await stage.proxy.listen();
    });
    await expectSurvived('connections refused for 1.2 s', report);
    expect(longest(report.outcomes)).toBeLessThan(CONNECT_TIMEOUT_MS + CLIENT_GRACE_MS);
  });
});
