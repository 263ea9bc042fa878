import type pg from 'pg';
import type { ApiClient } from '../support/api-client';
import { createTestApp, type TestApp } from '../support/app';
import { fillLarge, type LargeDatabase } from '../support/large-database';
import { faultsOf, PLAN_MODES, planOf } from '../support/query-plan';
import { type SentStatement, SentStatements } from '../support/sent-statements';
import { newUser } from '../support/tenant';
import committed from '../../openapi.json';

interface Parameter {
  name: string;
  in: string;
  schema: { enum?: string[] };
}
const READS = Object.entries(committed.paths as unknown as Record<string, { get?: { parameters: Parameter[] } }>)
  .filter(([, { get }]) => get)
  .map(([path, { get }]) => [path, get!.parameters.filter((parameter) => parameter.in === 'query')] as const);

/** What reads no table that grows: a reason for each. */
const WITHOUT_LARGE_TABLES = [
  '/.well-known/document-keys.json', // signing keys
  '/.well-known/jwks.json',
  '/health', // PostgreSQL's own state
  '/health/live',
  '/health/ready',
  '/health/startup',
  '/metrics',
  '/v1/permissions', // a constant
  '/v1/platform/database/size', // statistics
  '/v1/platform/database/statements',
  '/v1/platform/database/statements/{fingerprint}/plan',
];
const PATHS = READS.map(([path]) => path).filter((path) => !WITHOUT_LARGE_TABLES.includes(path));

/** What no list asks by a value. */
const NO_FILTERS = ['limit', 'cursor', 'sort'];

/** Values for each parameter of each read. */
type Samples = Record<string, Record<string, string[]>>;
const USERS = '/v1/tenants/{tenantId}/users';
const samplesOf = (large: LargeDatabase): Samples => {
  const audit = {
    result: ['denied', 'success'],
    actorUserId: [large.userId],
    targetId: [large.userId],
    from: ['2020-01-01T00:00:00Z'],
    to: ['2030-01-01T00:00:00Z'],
  };
  return {
    [USERS]: {
      status: ['suspended', 'active'],
      email: ['123456@large.example'],
      roleId: Object.values(large.roleIds),
      q: ['user 1234', '1234', 'user '], // the last is everybody
      fields: ['name,createdAt'],
      include: ['roles'],
    },
    '/v1/tenants/{tenantId}/users/{userId}': { fields: ['name'], include: ['roles'] },
    '/v1/tenants/{tenantId}/users/{userId}/roles': {},
    '/v1/tenants/{tenantId}/users/{userId}/permissions': {},
    '/v1/tenants/{tenantId}/roles': { q: ['task 0012'], fields: ['name', 'permissions'] },
    '/v1/tenants/{tenantId}/roles/{roleId}': { fields: ['name'] },
    '/v1/tenants/{tenantId}/audit-events': { action: ['tenant.updated', 'user.updated'], ...audit },
    '/v1/platform/audit-events': { action: ['account.updated', 'session.started'], ...audit },
    '/v1/tenants': {
      status: ['suspended', 'active'],
      q: ['many 0123', 'many-0123'],
      deleted: ['only', 'exclude'],
      fields: ['name'],
    },
    '/v1/tenants/{tenantId}': { fields: ['name'] },
    '/v1/auth/me': {},
    '/v1/auth/sessions': {},
    '/v1/platform/accounts': { status: ['disabled', 'active'], email: ['123456@large.example'] },
    '/v1/platform/accounts/{accountId}': {},
    '/v1/platform/erasures': { subject: ['tenant', 'account'], subjectId: [large.userId] },
    '/v1/platform/tenant-restores': { status: ['failed', 'succeeded'], tenantId: [large.tenantId] },
    '/v1/platform/tenant-restores/{restoreId}': {},
  };
};

/** Of two filters of the trail one has its index; what the other leaves out is read, and that may be much. */
const ONE_FILTER_AT_A_TIME = ['/v1/tenants/{tenantId}/audit-events', '/v1/platform/audit-events'];

let app: TestApp;
let large: LargeDatabase;
let samples: Samples;
/** Of the large tenant, with rights that depend on the row. */
let clerk: ApiClient;
let sent: SentStatements;
const connections = new Map<string, pg.Client>();
const explained = new Set<string>();

beforeAll(async () => {
  app = await createTestApp();
  large = await fillLarge(app);
  samples = samplesOf(large);
  clerk = await newUser(app, large.tenant, {
    permissions: [
      { subject: 'User', action: 'read', conditions: { status: 'active' } },
      { subject: 'User', action: 'read', conditions: { email: { in: ['100000@large.example'] } }, inverted: true },
      { subject: 'Role', action: 'read', conditions: { name: { not: 'Task 7' } } },
      { subject: 'AuditEvent', action: 'read', conditions: { action: 'tenant.updated' } },
      { subject: 'Tenant', action: 'read', conditions: { status: 'active' } },
    ],
  });
  sent = new SentStatements();
  for (const login of ['app', 'platform'] as const)
    connections.set(`tenantry_${login}`, await app.database.connect(login));
}, 300_000);
afterAll(async () => {
  sent?.restore();
  for (const client of connections.values()) await client.end();
  await app?.close();
});

const callersOf = (path: string): ApiClient[] => {
  if (path.includes('{tenantId}')) return [large.owner, clerk];
  if (path.startsWith('/v1/platform')) return [app.administrator];
  return path === '/v1/tenants' ? [app.administrator, large.busyPerson] : [large.busyPerson];
};

const urlOf = (path: string): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    name === 'tenantId' ? large.tenant.id : (large as unknown as Record<string, string>)[name]!,
  );

/** No parameter, each alone, and every two together. */
function queriesOf(values: Record<string, string[]>, arePairs: boolean): string[] {
  const single = Object.entries(values).flatMap(([name, each]) => each.map((value) => [name, value] as const));
  const pairs = single.flatMap((one, place) => single.slice(place + 1).map((other) => [one, other] as const));
  const together = arePairs ? pairs.filter(([one, other]) => one[0] !== other[0]) : [];
  return [[], ...single.map((one) => [one]), ...together].map((query) =>
    new URLSearchParams(query.map(([name, value]): [string, string] => [name, value])).toString(),
  );
}

/** What is wrong with the plans of all that one request sends. */
async function faultsIn(caller: ApiClient, request: string): Promise<string[]> {
  const faults: string[] = [];
  for (const statement of await sent.during(async () => caller.get(request).expect(200)))
    for (const mode of PLAN_MODES)
      for (const fault of await faultsOfStatement(statement, mode)) faults.push(`${mode}: ${fault}`);
  return faults;
}

async function faultsOfStatement(statement: SentStatement, mode: (typeof PLAN_MODES)[number]): Promise<string[]> {
  const key = JSON.stringify([statement, mode]);
  if (explained.has(key)) return [];
  explained.add(key);
  return faultsOf(await planOf(connections.get(statement.login)!, statement, mode));
}

it('is asked of every read with each of its parameters', () => {
  const known = Object.entries(samples).map(([path, values]) => [path, Object.keys(values).toSorted()]);
  const documented = READS.filter(([path]) => PATHS.includes(path)).map(([path, parameters]) => [
    path,
    parameters
      .map(({ name }) => name)
      .filter((name) => !NO_FILTERS.includes(name))
      .toSorted(),
  ]);
  expect(Object.fromEntries(known)).toEqual(Object.fromEntries(documented));
  expect(WITHOUT_LARGE_TABLES.filter((path) => !READS.some(([read]) => read === path))).toEqual([]);
});

it.each(PATHS)(
  '%s reads what it shows along indexes that tell more than the tenant',
  async (path) => {
    const url = urlOf(path);
    const parameters = READS.find(([read]) => read === path)![1];
    const sorts = parameters.find(({ name }) => name === 'sort')?.schema.enum ?? [];
    const faults: Record<string, string[]> = {};
    for (const caller of callersOf(path))
      for (const sort of sorts.length > 0 ? sorts.map((value) => `sort=${value}`) : ['']) {
        const first = await caller.get<{ page?: { nextCursor: string } }>(`${url}?${sort}`).expect(200);
        const pages = first.body.page ? ['', `cursor=${first.body.page.nextCursor}`] : [''];
        // The clerk's conditions come on top; and of two directions one is enough.
        const arePairs = caller !== clerk && !sort.startsWith('sort=-') && !ONE_FILTER_AT_A_TIME.includes(path);
        for (const query of queriesOf(samples[path]!, arePairs))
          for (const page of pages) {
            const request = `${url}?${[sort, query, page].filter(Boolean).join('&')}`;
            const found = await faultsIn(caller, request);
            if (found.length > 0) faults[request] = found;
          }
      }
    expect(faults).toEqual({});
  },
  300_000,
);
