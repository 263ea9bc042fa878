import { setTimeout as sleep } from 'node:timers/promises';
import { Pools } from '../../src/database/pools';
import { printFault } from '../support/fault';
import { PairStage } from '../support/pair-stage';
import { countStatuses, SteadyLoad, unexpected } from '../support/steady-load';

const CONNECT_TIMEOUT_MS = 1_000;
/** How long the primary is dead before somebody promotes the standby. */
const OUTAGE_MS = 1_500;
/** From the moment that the standby takes writes until one of ours is acknowledged; generous, the machine is busy. */
const RECOVERY_BOUND_MS = 5_000;
/** How many are made before the fault, and after. */
const WRITES = 20;

let stage: PairStage;
beforeAll(async () => {
  stage = await PairStage.set({ env: { POSTGRES_CONNECT_TIMEOUT_MS: CONNECT_TIMEOUT_MS } });
}, 60_000);
afterAll(() => stage?.clear());

describe('a failover under load', () => {
  it('moves to the promoted standby: writes resume by themselves, and none that was acknowledged is lost', async () => {
    const { pair, url, tenantId, accessToken } = stage;
    const load = new SteadyLoad({ baseUrl: () => url, tenantId, accessToken });
    let promotedAt: number;
    let report;
    try {
      await load.untilWritten(WRITES);
      await pair.primary.kill();

      // The primary is dead and the standby still one: the application says so, and lives.
      const end = performance.now() + OUTAGE_MS;
      let ready: number;
      do {
        expect(await stage.statusOf('/health/live')).toBe(200);
        ready = await stage.statusOf('/health/ready');
        await sleep(100);
      } while (performance.now() < end);
      expect(ready).toBe(503);

      await pair.standby.promote();
      promotedAt = performance.now();
      await load.untilWritten(WRITES);
    } finally {
      report = await load.stop();
    }

    const { outcomes, acknowledged } = report;
    const resumed = outcomes.find(({ kind, status, at }) => kind === 'write' && status === 201 && at > promotedAt);
    const recoveryMs = (resumed?.at ?? Infinity) - promotedAt;
    expect(recoveryMs).toBeLessThan(RECOVERY_BOUND_MS);
    expect(stage.errors).toEqual([]);
    expect(unexpected(outcomes, [200, 201, 503, 504])).toEqual([]);
    expect(countStatuses(outcomes)[503]).toBeGreaterThan(0);
    expect(unexpected(outcomes.slice(-10), [200, 201])).toEqual([]);

    const stored = await pair.query<{ name: string }>(pair.standby, 'SELECT name FROM app.roles');
    const names = new Set(stored.map(({ name }) => name));
    expect(acknowledged.length).toBeGreaterThanOrEqual(2 * WRITES);
    const lost = acknowledged.filter((name) => !names.has(name));
    printFault('primary lost, standby promoted 1.5 s later', { outcomes, lost, readyAfterMs: recoveryMs });
    expect(lost).toEqual([]);
    expect(await stage.statusOf('/health/ready')).toBe(200);
  }, 60_000);

  it('leaves no connection behind', () => {
    const { app: pool, platform } = stage.app.get(Pools);
    for (const { totalCount, idleCount, waitingCount } of [pool, platform]) {
      expect([totalCount - idleCount, waitingCount]).toEqual([0, 0]);
    }
  });
});
