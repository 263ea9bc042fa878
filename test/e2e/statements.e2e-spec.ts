import { describeStatement } from '../../src/database/statement-text';
import type { StatementDto, StatementPlanDto, StatementsDto } from '../../src/monitoring/statement.dto';
import { createTestApp, type TestApp } from '../support/app';
import { scrape } from '../support/scrape';
import { newTenantWithOwner } from '../support/tenant';

const STATEMENTS = '/v1/platform/database/statements';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ METRICS_TOKEN: 'a-token-for-the-scrapes' });
  const { tenant, owner } = await newTenantWithOwner(app);
  for (let call = 0; call < 3; call += 1) await owner.get(`/v1/tenants/${tenant.id}/roles`).expect(200);
});
afterAll(() => app?.close());

async function list(query: Record<string, string> = {}): Promise<StatementDto[]> {
  const { body } = await app.administrator.get<StatementsDto>(STATEMENTS).query(query).expect(200);
  return body.data;
}

/** The one that shows this. */
async function statement(part: string): Promise<StatementDto> {
  const found = (await list({ limit: '100' })).filter(({ text }) => text.includes(part));
  expect(found).toHaveLength(1);
  return found[0]!;
}

const planOf = (fingerprint: string, query: Record<string, string> = {}) =>
  app.administrator.get<StatementPlanDto>(`${STATEMENTS}/${fingerprint}/plan`).query(query);

describe('GET /v1/platform/database/statements', () => {
  it('shows what the requests have run, by login, with its figures', async () => {
    const { body } = await app.administrator.get<StatementsDto>(STATEMENTS).query({ limit: '100' }).expect(200);
    expect(body).toMatchObject({ available: true, hint: null });
    expect(Date.parse(body.countedSince!)).toBeLessThan(Date.now());
    const roles = body.data.find(({ text }) => text.startsWith('SELECT') && text.includes('FROM app.roles'))!;
    expect(roles).toMatchObject({ login: 'tenantry_app', fingerprint: expect.stringMatching(/^-?\d+$/) as string });
    expect(roles.textFingerprint).toBe(describeStatement(roles.text).textFingerprint);
    expect(roles.calls).toBeGreaterThanOrEqual(3);
    expect(roles.rows).toBeGreaterThanOrEqual(roles.calls);
    expect(roles.sharedBlocksHit).toBeGreaterThan(0);
    expect(roles.meanMs).toBeCloseTo(roles.totalMs / roles.calls);
    expect(roles.maxMs).toBeGreaterThanOrEqual(roles.meanMs);
  });

  it.each([
    ['totalTime', 'totalMs'],
    ['meanTime', 'meanMs'],
    ['calls', 'calls'],
  ] as const)('sorts by %s, the most first, and shows no more than asked for', async (sort, figure) => {
    const figures = (await list({ sort, limit: '7' })).map((row) => row[figure]);
    expect(figures).toHaveLength(7);
    expect(figures).toEqual(figures.toSorted((a, b) => b - a));
  });

  it('leaves out the statements of the monitor, of other databases, and those that set or alter something', async () => {
    const other = await createTestApp();
    await app.database.query('admin', "SET application_name = 'not_shown_by_me'");
    await app.database.query('monitor', 'SELECT 1 AS not_shown_by_me');
    await other.database.query('app', 'SELECT 2 AS not_shown_by_me, 3');
    await app.database.query('app', '/* why */ SELECT 3 AS shown_by_me');
    await other.close();
    const texts = (await list({ limit: '100', sort: 'meanTime' })).map(({ text }) => text).join('\n');
    expect(texts).not.toContain('not_shown_by_me');
    expect(await statement('shown_by_me')).toMatchObject({ text: 'SELECT $1 AS shown_by_me', login: 'tenantry_app' });
  });

  it('shows no value', async () => {
    await app.database.query('app', `SELECT 'a-secret-value' AS kept_to_itself, 987654321 -- another-secret`);
    const { text } = await statement('kept_to_itself');
    expect(text).toBe('SELECT $1 AS kept_to_itself, $2');
  });

  it('refuses what it cannot sort by', async () => {
    await app.administrator.get(STATEMENTS).query({ sort: 'password' }).expectProblem(422, 'invalid_input');
  });
});

describe('GET /v1/platform/database/statements/:fingerprint/plan', () => {
  const eventsOf = (requestId: unknown) =>
    app.database.query('admin', 'SELECT action, actor_type, result, after FROM audit.events WHERE request_id = $1', [
      requestId,
    ]);

  it('plans under the login of the statement, row-level security included, and is on record', async () => {
    const rows = await list({ limit: '100' });
    const roles = rows.find(({ text }) => text.startsWith('SELECT') && text.includes('FROM app.roles'))!;
    const { body, headers } = await planOf(roles.fingerprint).expect(200);
    expect(body).toMatchObject({ fingerprint: roles.fingerprint, login: 'tenantry_app', text: roles.text });
    expect(body.plan).toMatchObject({ 'Node Type': expect.any(String) as string });
    expect(JSON.stringify(body.plan)).toMatch(/current_setting\('app\.tenant_id'/);
    expect(await eventsOf(headers['x-request-id'])).toEqual([
      {
        action: 'statement.planned',
        actor_type: 'platform',
        result: 'success',
        after: { fingerprint: roles.fingerprint, login: 'tenantry_app' },
      },
    ]);
  });

  it('plans every statement that the application has run so far', async () => {
    const rows = (await list({ limit: '100' })).filter(({ login }) => login !== 'postgres');
    expect(rows.length).toBeGreaterThan(20);
    const refused: string[] = [];
    for (const { fingerprint, login, text } of rows) {
      const { status } = await planOf(fingerprint, { login });
      if (status !== 200) refused.push(`${status} ${text}`);
    }
    expect(refused).toEqual([]);
  });

  it('plans a change without making it', async () => {
    await app.database.query('platform', 'DELETE FROM identity.sessions WHERE id = $1', [
      '00000000-0000-0000-0000-000000000000',
    ]);
    const { fingerprint } = await statement('DELETE FROM identity.sessions');
    const { body } = await planOf(fingerprint).expect(200);
    expect(body.plan).toMatchObject({ 'Node Type': 'ModifyTable', Operation: 'Delete' });
    await app.administrator.get('/v1/auth/me').expect(200); // its session is there
  });

  it('takes the login that is asked for', async () => {
    for (const login of ['app', 'platform'] as const)
      await app.database.query(login, 'SELECT count(*) AS by_both FROM app.tenants');
    const { fingerprint } = (await list({ limit: '100' })).find(({ text }) => text.includes('by_both'))!;
    for (const login of ['tenantry_app', 'tenantry_platform'])
      expect((await planOf(fingerprint, { login }).expect(200)).body.login).toBe(login);
  });

  it.each([
    [
      'of a login that does not serve',
      'admin',
      'SELECT version() AS of_the_administrator',
      /serving logins .* is of postgres/,
    ],
    ['that needs its constants', 'app', "SELECT interval '1 day' AS needs_its_constant", /syntax error/],
  ] as const)('refuses a statement %s', async (_, login, sql, reason) => {
    await app.database.query(login, sql);
    const { fingerprint } = await statement(sql.split(' ').at(-1)!);
    const { body } = await planOf(fingerprint).expectProblem(422, 'statement_not_plannable');
    expect(body).toMatchObject({ detail: expect.stringMatching(reason) as string });
  });

  it('refuses a statement whose table is gone, and leaves nothing behind on the connection', async () => {
    await app.database.query('owner', 'CREATE TABLE app.passing AS SELECT 1 AS id');
    await app.database.query('owner', 'GRANT SELECT ON app.passing TO tenantry_app');
    await app.database.query('app', 'SELECT id FROM app.passing');
    await app.database.query('owner', 'DROP TABLE app.passing');
    const { fingerprint } = await statement('FROM app.passing');
    for (let call = 0; call < 3; call += 1) await planOf(fingerprint).expectProblem(422, 'statement_not_plannable');
  });

  it('knows no other statement', async () => {
    await planOf('1234567890').expectProblem(404, 'not_found');
  });
});

describe('pg_stat_statements_*', () => {
  it('counts the 20 statements that took most time, by fingerprint and login', async () => {
    const page = await list({ limit: '20' });
    const scraped = await scrape(app);
    for (const what of ['calls', 'seconds', 'rows']) {
      const samples = scraped.find(`pg_stat_statements_${what}_total`);
      expect(samples).toHaveLength(20);
      for (const { labels } of samples) expect(Object.keys(labels).toSorted()).toEqual(['fingerprint', 'login']);
    }
    const [{ fingerprint, login, calls, totalMs }] = page as [StatementDto];
    expect(scraped.value('pg_stat_statements_calls_total', { fingerprint, login })).toBeGreaterThanOrEqual(calls);
    const seconds = scraped.value('pg_stat_statements_seconds_total', { fingerprint, login })!;
    expect(seconds * 1000).toBeGreaterThanOrEqual(totalMs - 0.001);
  });
});

describe('on a server that does not count', () => {
  it('says what is missing; all else works', async () => {
    const bare = await createTestApp({ METRICS_TOKEN: 'a-token-for-the-scrapes' });
    try {
      await bare.database.query('admin', 'DROP EXTENSION pg_stat_statements');
      const { body } = await bare.administrator.get(STATEMENTS).expect(200);
      expect(body).toEqual({
        available: false,
        hint: expect.stringContaining('CREATE EXTENSION pg_stat_statements') as string,
        countedSince: null,
        data: [],
      });
      await bare.administrator.get(`${STATEMENTS}/1234567890/plan`).expectProblem(404, 'not_found');
      const scraped = await scrape(bare);
      expect(scraped.series.filter((name) => name.startsWith('pg_stat_statements'))).toEqual([]);
      expect(scraped.value('pg_up')).toBe(1);
    } finally {
      await bare.close();
    }
  });
});
