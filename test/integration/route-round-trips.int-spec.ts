import { SigningKeysService } from '../../src/auth/signing-keys.service';
import { createTestApp, type TestApp } from '../support/app';
import { committedPart } from '../support/documents/generated';
import { ProtocolSpy } from '../support/protocol-spy';
import { play, SCENARIOS, setStage } from '../support/scenarios';

/** What these ask, they remember for seconds: how often they go to the database depends on who asked before. */
const REMEMBERING = /^GET \/(?:health|metrics)/;
const operations = Object.keys(SCENARIOS).filter((operation) => !REMEMBERING.test(operation));

/** Round trips under each login. */
interface Trips {
  app: number;
  platform: number;
}

let app: TestApp;
const spies = {} as Record<keyof Trips, ProtocolSpy>;

beforeAll(async () => {
  // One connection of each login that stays, and none of the jobs of the hour (worker 1 has those).
  const quiet = {
    POSTGRES_POOL_SIZE: 1,
    POSTGRES_PLATFORM_POOL_SIZE: 1,
    POSTGRES_IDLE_TIMEOUT_MS: 3_600_000,
    workerNumber: 2,
  };
  app = await createTestApp(quiet, {
    withBackups: true,
    reach: async (urls) => {
      spies.app = await ProtocolSpy.before(urls.app);
      spies.platform = await ProtocolSpy.before(urls.platform);
      return { ...urls, app: spies.app.urlOf(urls.app), platform: spies.platform.urlOf(urls.platform) };
    },
  });
  // They are read again each minute, whatever is asked.
  const keys: { reloadIfOlderThan(): Promise<void> } = app.nest.get(SigningKeysService);
  jest.spyOn(keys, 'reloadIfOlderThan').mockResolvedValue();
});
afterAll(async () => {
  await app?.close();
  await Promise.all(Object.values(spies).map((spy) => spy.close()));
});

/** Of one who has asked for something before. */
async function tripsOf(operation: string): Promise<Trips> {
  const stage = await setStage(app);
  if (operation.endsWith('/restore')) await play(stage, 'DELETE /v1/tenants/{tenantId}').expect(204);
  const { caller, ids, status } = SCENARIOS[operation]!;
  const client = caller?.(stage) ?? stage.owner;
  await client.get('/v1/auth/me');
  if (!caller && ids) await client.get(`/v1/tenants/${stage.tenant.id}`).expect(200);
  const trips = { app: 0, platform: 0 };
  const answered = play(stage, operation);
  trips.app = (
    await spies.app.during(async () => {
      trips.platform = (await spies.platform.during(async () => void (await answered.expect(status)))).roundTrips;
    })
  ).roundTrips;
  return trips;
}

it('each route goes to the database, and waits, as often as docs/round-trips.md says', async () => {
  const rows: string[] = [];
  for (const operation of operations) {
    const { app: tenants, platform } = await tripsOf(operation);
    rows.push(`| \`${operation}\` | ${tenants} | ${platform} | ${tenants + platform} |`);
  }
  const table = ['| Route | app login | platform login | together |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const { actual, expected } = committedPart('docs/round-trips.md', 'round trips', table);
  expect(actual).toBe(expected);
}, 300_000);
