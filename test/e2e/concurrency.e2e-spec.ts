import { newId } from '../../src/common/id';
import type { ApiResponse } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { newTenantWithOwner, newUser, type TestTenant, type UserClient } from '../support/tenant';

const TENANTS = 20;
const REQUESTS = 1_000;
const IN_FLIGHT = 100;
const POOL_SIZE = 4;

/** A tenant, and everything of it that an answer may show. */
interface Party {
  tenant: TestTenant;
  owner: UserClient;
  powerless: UserClient;
  /** Says whose it is in each name that it makes. */
  mark: string;
}

let app: TestApp;
const parties: Party[] = [];

beforeAll(async () => {
  app = await createTestApp({
    POSTGRES_POOL_SIZE: POOL_SIZE,
    POSTGRES_CONNECT_TIMEOUT_MS: 30_000,
    POSTGRES_MAX_WAITING: 2 * IN_FLIGHT, // a denial is recorded after its answer, and waits beside the requests
  });
  for (let index = 0; index < TENANTS; index += 1) {
    const { tenant, owner } = await newTenantWithOwner(app);
    parties.push({ tenant, owner, powerless: await newUser(app, tenant), mark: `mark-${index}-` });
    await owner.patch(`/v1/tenants/${tenant.id}/users/${owner.id}`, { name: `mark-${index}-owner` }).expect(200);
  }
}, 60_000);
afterAll(() => app.close());

/** The marks and tenant ids in an answer that are not this party's. */
function strangersIn(party: Party, answer: unknown): string[] {
  const text = JSON.stringify(answer) ?? '';
  return parties
    .filter((other) => other !== party && (text.includes(other.mark) || text.includes(other.tenant.id)))
    .map(({ mark }) => mark);
}

type Step = (party: Party, index: number) => PromiseLike<ApiResponse>;
const users = ({ tenant }: Party): string => `/v1/tenants/${tenant.id}/users`;

/** What is mixed, each with the statuses that are right. */
const STEPS: [Step, number[]][] = [
  [(party) => party.owner.get(`${users(party)}/${party.owner.id}`), [200]],
  [(party) => party.owner.get(`${users(party)}?include=roles&limit=50`), [200]],
  [(party) => party.owner.get(`/v1/tenants/${party.tenant.id}/roles`), [200]],
  [(party) => party.owner.get(`/v1/tenants/${party.tenant.id}`), [200]],
  [(party) => party.owner.get('/v1/tenants'), [200]],
  [
    (party, index) =>
      party.owner.post(users(party), { email: `${party.mark}${index}@many.test`, name: `${party.mark}${index}` }),
    [201],
  ],
  [
    (party, index) => party.owner.patch(`/v1/tenants/${party.tenant.id}`, { name: `${party.mark}${index}` }),
    [200, 412],
  ],
  [(party) => party.powerless.get(users(party)), [403]],
  [(party) => party.owner.get(`${users(party)}/${newId()}`), [404]],
  [(party, index) => party.owner.get(users(parties[(index + 7) % TENANTS]!)), [404]],
  [(party) => party.owner.post(users(party), { email: party.owner.person.email, name: 'twice' }), [409]],
  [(party) => party.owner.get(`/v1/tenants/${party.tenant.id}/audit-events?limit=50`), [200]],
];

describe(`${REQUESTS} requests of ${TENANTS} tenants at once over ${POOL_SIZE} connections`, () => {
  it('show nobody a row of another tenant', async () => {
    const strangers: string[] = [];
    const wrong: string[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < REQUESTS) {
        const index = next++;
        const party = parties[index % TENANTS]!;
        const [step, right] = STEPS[(index * 7 + Math.floor(index / TENANTS)) % STEPS.length]!;
        const { status, body } = await step(party, index);
        // A problem names the path that was asked for, and so a stranger's tenant where one was asked for.
        if (status < 400) strangers.push(...strangersIn(party, body));
        if (!right.includes(status)) wrong.push(`${index}: ${status} ${JSON.stringify(body)}`);
      }
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, work));
    expect({ strangers, wrong }).toEqual({ strangers: [], wrong: [] });
  }, 60_000);

  it('are looked at by an eye that sees a stranger', () => {
    const [first, second] = parties;
    expect(strangersIn(first!, { data: [{ name: `${second!.mark}1` }] })).toEqual([second!.mark]);
    expect(strangersIn(first!, { data: [{ tenantId: second!.tenant.id }] })).toEqual([second!.mark]);
    expect(strangersIn(first!, { data: [{ name: `${first!.mark}1` }] })).toEqual([]);
  });
});
