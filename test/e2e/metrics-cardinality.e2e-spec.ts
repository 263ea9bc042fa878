import { randomBytes } from 'node:crypto';
import { Prisma } from '@prisma/client';
import { newId } from '../../src/common/id';
import { createTestApp, type TestApp } from '../support/app';
import { eventually } from '../support/eventually';
import { seriesOf } from '../support/exposition';
import { sendRaw } from '../support/raw-http';
import { type Scrape, scrape } from '../support/scrape';
import { type Cast, newTenant, newTenantWithOwner } from '../support/tenant';

const BATCH = 500;
const TIMEOUT_MS = 120_000; // a thousand requests, on a busy machine, too
const AT_ONCE = 5;
const SHOWN_TENANTS = 3;
const UUID = /[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}/i;

let app: TestApp;
let cast: Cast;
/** Whose callers have proved to be in them. */
const tenantIds: string[] = [];

beforeAll(async () => {
  app = await createTestApp({ METRICS_BUSIEST_TENANTS: SHOWN_TENANTS });
  cast = await newTenant(app);
  tenantIds.push(cast.tenant.id);
  for (let count = 0; count < SHOWN_TENANTS + 1; count += 1) tenantIds.push((await newTenantWithOwner(app)).tenant.id);
}, 60_000);
afterAll(() => app?.close());

const word = (): string => `made-up-${randomBytes(9).toString('hex')}`;
const email = (): string => `${word()}@cardinality.test`;

/** Requests that a caller may make up: each differs from all before it. */
const MADE_UP: (() => [method: string, path: string, body?: object])[] = [
  () => ['GET', `/v1/tenants/${newId()}`],
  () => ['GET', `/v1/tenants/${newId()}/users/${newId()}`],
  () => ['PATCH', `/v1/tenants/${cast.tenant.id}/roles/${newId()}`, { name: word() }],
  () => ['GET', `/v1/tenants/${word()}/roles`],
  () => ['GET', `/v1/tenants/${'x'.repeat(201)}${word()}`],
  () => ['GET', `/v1/tenants/%zz${word()}`],
  () => ['GET', `/${word()}/${word()}`],
  () => ['GET', `/docs/${word()}`],
  () => ['GET', `/metrics/${word()}`],
  () => ['OPTIONS', `/${word()}`],
  () => ['PROPFIND', `/${word()}`],
  () => ['M-SEARCH', '/v1/auth/me'],
  () => ['GET', `/v1/tenants/${cast.tenant.id}/users?email=${email()}&q=${word()}`],
  () => ['GET', `/v1/tenants/${cast.tenant.id}/users?${word()}=${word()}`],
  () => ['POST', '/v1/auth/login', { email: email(), password: word() }],
  () => ['POST', '/v1/auth/refresh', { refreshToken: word() }],
  () => [
    'POST',
    `/v1/tenants/${cast.tenant.id}/roles`,
    { name: word(), permissions: [{ subject: word(), action: word() }] },
  ],
  () => ['POST', `/v1/tenants/${cast.tenant.id}/roles`, { name: word(), permissions: [] }],
  () => ['GET', `/v1/tenants/${cast.tenant.id}/audit-events?targetId=${newId()}`],
];

/** `count` requests, each as the owner and as nobody in turn. @returns how many answers there were by status */
async function batch(count: number): Promise<Map<number, number>> {
  const statuses = new Map<number, number>();
  let sent = 0;
  const send = async (): Promise<void> => {
    while (sent < count) {
      const turn = sent++;
      const [method, path, body] = MADE_UP[turn % MADE_UP.length]!();
      const isOwner = Math.floor(turn / MADE_UP.length) % 2 === 0;
      const headers = {
        'x-forwarded-for': `198.19.${turn >> 8}.${turn & 255}`,
        'x-request-id': word(),
        'user-agent': word(),
        ...(isOwner && { authorization: `Bearer ${cast.owner.tokens.accessToken}` }),
      };
      const { status } = await sendRaw(app.target.url, path, {
        method,
        headers,
        ...(body && { body: JSON.stringify(body) }),
      });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  return statuses;
}

/**
 * Those that requests bring. What Node and PostgreSQL tell of themselves comes and goes; so do operations of the database,
 * as what runs every hour has some of its own: of these the words are looked at below.
 */
function ownSeries(now: Scrape): Set<string> {
  return new Set(now.series.filter((series) => !/^(nodejs|process|pg|wal|tenant|db_client_operation)_/.test(series)));
}

describe('the series of /metrics', () => {
  it(
    'are as many after made-up ids, paths, methods and tenants as they were before',
    async () => {
      const statuses = await batch(BATCH); // all that such requests can bring
      expect([...statuses.values()].reduce((sum, count) => sum + count)).toBe(BATCH);
      expect([...statuses.keys()]).toEqual(expect.arrayContaining([201, 400, 401, 404, 422]));
      await scrape(app); // it is a request itself
      const first = await scrape(app);

      await batch(BATCH);
      const second = await eventually(async () => {
        const now = await scrape(app);
        const counted = Object.values(now.growthSince(first, 'http_server_request_duration_seconds_count'));
        expect(counted.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(BATCH);
        return now;
      });
      expect(ownSeries(second)).toEqual(ownSeries(first));
      expect(second.find('tenant_requests_per_second')).toHaveLength(SHOWN_TENANTS);
    },
    TIMEOUT_MS,
  );

  it('hold no id, no address, no path and no query', async () => {
    await batch(MADE_UP.length * 2);
    const { samples } = await scrape(app);
    const operations = app.target.recorder.contract.operations();
    const templates = operations.map((operation) => operation.split(' ')[1]!.replaceAll(/\{(\w+)\}/g, ':$1'));
    for (const sample of samples) {
      const { tenant, http_route: route, ...labels } = sample.labels;
      expect(seriesOf({ ...sample, labels })).not.toMatch(UUID);
      expect(seriesOf(sample)).not.toMatch(/@|made-up|[?&]\w+=/);
      if (route !== undefined && !/^\/docs\b|^unmatched$/.test(route)) expect(templates).toContain(route);
      if (tenant !== undefined)
        expect([seriesOf(sample), tenantIds.includes(tenant)]).toEqual([seriesOf(sample), true]);
    }
  });

  it('name operations of the database by what the code has: its models, its methods, codes of errors', async () => {
    const models: string[] = Object.values(Prisma.ModelName);
    const found = (await scrape(app)).find('db_client_operation_duration_seconds_count');
    expect(found.length).toBeGreaterThan(10);
    for (const { labels } of found) {
      expect(['', ...models]).toContain(labels.db_collection_name);
      expect(labels.db_operation_name).toMatch(/^\$?[a-z]+([A-Z][a-z]+)*$/);
      expect(labels.db_response_status_code).toMatch(/^([0-9A-Z]{5}|P\d{4}|error)?$/);
    }
  });

  it('show no tenant to whose path a stranger sends requests', async () => {
    const [, busy] = tenantIds;
    for (let count = 0; count < 40; count += 1) {
      await cast.owner.get(`/v1/tenants/${busy}`).expectProblem(404, 'not_found');
      await app.anonymous().get(`/v1/tenants/${busy}`).expectProblem(401, 'unauthenticated');
    }
    await eventually(async () => {
      const now = await scrape(app);
      const rateOf = (tenant: string): number => now.value('tenant_requests_per_second', { tenant }) ?? 0;
      expect(rateOf(cast.tenant.id)).toBeGreaterThan(5 * rateOf(busy!));
    });
  });
});
