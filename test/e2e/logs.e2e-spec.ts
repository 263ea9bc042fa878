import { Logger } from '@nestjs/common';
import { Env } from '../../src/config/env';
import { PasswordsService } from '../../src/credentials/passwords.service';
import { AppLogger } from '../../src/http/app-logger';
import { createTestApp, newPassword, type TestApp } from '../support/app';
import { sendRaw } from '../support/raw-http';
import { newPerson, newTenantWithOwner, type TestTenant, type UserClient } from '../support/tenant';

type Line = Record<string, unknown>;

let app: TestApp;
let tenant: TestTenant;
let owner: UserClient;
let written = '';
/** All that must not be logged, whoever sent it and wherever. */
const secrets: string[] = [];

/** A new one, of letters only: nothing shows by its form that it is one. */
function secret(): string {
  const made = newPassword().replaceAll(/[^A-Za-z]/g, 'x');
  secrets.push(made);
  return made;
}

const lines = (): Line[] =>
  written
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
const requestLines = (): Line[] => lines().filter(({ durationMs }) => durationMs !== undefined);
const foundIn = (text: string): number[] => secrets.flatMap((value, place) => (text.includes(value) ? [place] : []));

/** A log as production writes it, to `written`. */
function useLog(settings: Partial<Pick<Env, 'NODE_ENV' | 'LOG_LEVEL'>> = {}): void {
  const env = { ...app.nest.get(Env), NODE_ENV: 'production', LOG_LEVEL: 'debug', ...settings } as const;
  written = '';
  app.nest.useLogger(new AppLogger(env, { destination: { write: (text) => void (written += text) } }));
}

beforeAll(async () => {
  app = await createTestApp();
  ({ tenant, owner } = await newTenantWithOwner(app));
  const { SECRET_KEY, BOOTSTRAP_ADMIN_PASSWORD, METRICS_TOKEN } = app.nest.get(Env);
  secrets.push(
    SECRET_KEY!,
    BOOTSTRAP_ADMIN_PASSWORD!,
    METRICS_TOKEN!,
    owner.tokens.accessToken,
    owner.tokens.refreshToken,
  );
  for (const url of Object.values(app.database.urls)) secrets.push(url, new URL(url).password);
});
beforeEach(() => useLog());
afterEach(() => {
  app.nest.useLogger(false);
  jest.restoreAllMocks();
});
afterAll(() => app?.close());

/** The line of a request is written when its connection is done with, which is after its answer has arrived. */
async function settled(count: number): Promise<Line[]> {
  for (let round = 0; round < 200 && requestLines().length < count; round += 1)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return requestLines();
}

describe('the line of a request', () => {
  it('has its id, method, route, status and duration, and who asked in which tenant', async () => {
    const { headers } = await owner.get(`/v1/tenants/${tenant.id}/roles?limit=1`).expect(200);
    const { body: me } = await app.administrator.get<{ id: string }>('/v1/auth/me').expect(200);
    const found = await settled(2);
    expect(found).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        pid: process.pid,
        hostname: expect.any(String),
        context: 'Request',
        msg: 'GET /v1/tenants/:tenantId/roles 200',
        requestId: headers['x-request-id'],
        method: 'GET',
        route: '/v1/tenants/:tenantId/roles',
        status: 200,
        durationMs: expect.any(Number),
        tenantId: tenant.id,
        accountId: expect.stringMatching(/^[\da-f-]{36}$/),
      },
      expect.objectContaining({ route: '/v1/auth/me', accountId: me.id }),
    ]);
    expect(found[1]).not.toHaveProperty('tenantId');
  });

  it('is there for what no route takes, with nothing of the path', async () => {
    const { url } = app.target;
    await sendRaw(url, '/v1/%0A%7B%22level%22:%22error%22%7D');
    await sendRaw(url, '/v1/tenants/%zz');
    await sendRaw(url, `/v1/tenants/${'x'.repeat(300)}`);
    const found = await settled(3);
    expect(found.map(({ msg }) => msg)).toEqual(['GET unmatched 404', 'GET unmatched 400', 'GET unmatched 414']);
    expect(written.split('\n').filter(Boolean)).toHaveLength(3);
  });

  it('is of level debug for probes, and LOG_LEVEL is honoured', async () => {
    await app.anonymous().get('/health/live').expect(200);
    expect((await settled(1))[0]).toMatchObject({ level: 'debug', route: '/health/live' });
    for (const [level, expected] of [
      ['log', ['a', 'b', 'c']],
      ['warn', ['a', 'b']],
      ['error', ['a']],
    ] as const) {
      useLog({ LOG_LEVEL: level });
      const logger = new Logger('Levels');
      logger.error('a');
      logger.warn('b');
      logger.log('c');
      logger.debug('d');
      expect(lines().map(({ msg }) => msg)).toEqual(expected);
    }
  });
});

describe('what a caller sends', () => {
  it('is in no line, wherever it stands in the request', async () => {
    const { url } = app.target;
    const body = { email: secret(), password: secret(), [secret()]: { token: secret() } };
    const headers = {
      'content-type': 'application/json',
      authorization: `Bearer ${secret()}`,
      cookie: `session=${secret()}; ${secret()}=1`,
      'x-api-key': secret(),
      'user-agent': secret(),
      referer: `https://${secret()}/?token=${secret()}`,
      'x-forwarded-for': secret(),
      'idempotency-key': secret(),
      'if-match': secret(),
      traceparent: secret(),
      [`x-${secret()}`]: secret(),
    };
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE']) {
      for (const path of ['/v1/auth/login', `/v1/tenants/${secret()}/users`, `/v1/${secret()}`, `/${secret()}`]) {
        const query = `?access_token=${secret()}&${secret()}=1&q=${secret()}`;
        const sent = method === 'GET' ? {} : { body: JSON.stringify(body) };
        await sendRaw(url, path + query, { method, headers, ...sent });
      }
    }
    await sendRaw(url, '/v1/auth/login', { method: 'POST', headers, body: `{"password":"${secret()}` });
    expect(await settled(17)).toHaveLength(17);
    expect(foundIn(written)).toEqual([]);
  });

  it('is in no line when the database quotes it in an error', async () => {
    await app.database.query(
      'admin',
      `CREATE FUNCTION app.quote_row() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'refused: %', to_jsonb(NEW) USING DETAIL = NEW.name, HINT = NEW.name; END $$`,
    );
    await app.database.query(
      'admin',
      'CREATE TRIGGER quote_row BEFORE INSERT ON app.roles FOR EACH ROW EXECUTE FUNCTION app.quote_row()',
    );
    const role = { name: `line\nbreak ${secret()}`, description: secret(), permissions: [] };
    await owner.post(`/v1/tenants/${tenant.id}/roles`, role).expectProblem(500, 'internal_error');
    await app.database.query('admin', 'DROP TRIGGER quote_row ON app.roles');
    await settled(1);
    const errors = lines().filter(({ level }) => level === 'error');
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: 'internal_error', requestId: (await settled(1))[0]!.requestId });
    expect(JSON.stringify(errors)).toContain('refused: ');
    expect(foundIn(written)).toEqual([]);
  });

  it('is in no line when an error quotes it, or the cause of its cause', async () => {
    const person = newPerson('quoted');
    const [sent, cookie, bearer] = [secret(), secret(), secret()];
    jest.spyOn(app.nest.get(PasswordsService), 'verify').mockImplementation((_hash, password) => {
      const root = Object.assign(new Error(`${cookie} ${app.database.urls.app}`), {
        headers: { authorization: bearer },
      });
      const cause = new TypeError(`Bearer ${bearer}, key ${app.nest.get(Env).SECRET_KEY}`, { cause: root });
      return Promise.reject(new Error(`cannot verify ${password}`, { cause }));
    });
    await app
      .anonymous()
      .post('/v1/auth/login', { email: person.email, password: sent })
      .set('cookie', `session=${cookie}`)
      .set('authorization', `Bearer ${bearer}`)
      .expectProblem(500, 'internal_error');
    await settled(1);
    const [error] = lines().filter(({ level }) => level === 'error');
    expect(error).toMatchObject({ err: { type: 'Error', message: 'cannot verify [redacted]' } });
    expect((error!.err as Line).stack).toMatch(/cannot verify[\s\S]+caused by: TypeError[\s\S]+caused by: Error/);
    expect(foundIn(written)).toEqual([]);
  });
});

describe('what is logged elsewhere', () => {
  it('is without secrets, whoever logs it and how', () => {
    const logger = new Logger('Somebody');
    const { SECRET_KEY } = app.nest.get(Env);
    const token = secret();
    logger.warn(`lost ${app.database.urls.platform}`);
    logger.warn({ msg: 'headers', headers: { authorization: token, cookie: [token] }, deep: { a: { b: { token } } } });
    logger.error(new Error(`password=${token}`, { cause: new Error(SECRET_KEY) }));
    logger.error(`SECRET_KEY is ${SECRET_KEY}`, new Error(`Bearer ${token}`).stack);
    logger.error('several', { password: token }, `token: ${token}`);
    expect(lines().map(({ msg }) => msg)).toEqual([
      'lost [redacted]',
      'headers',
      'password=[redacted]',
      'SECRET_KEY is [redacted]',
      'several',
    ]);
    expect(foundIn(written)).toEqual([]);
  });

  it('is one line each, whatever it has within', () => {
    new Logger('Somebody').log('first\nsecond\r\n{"level":"error"}\u2028');
    expect(written.match(/\n/g)).toHaveLength(1);
    expect(lines()[0]).toMatchObject({ level: 'info', context: 'Somebody', msg: expect.stringContaining('second') });
  });

  it('is readable in development', () => {
    useLog({ NODE_ENV: 'development' });
    new Logger('Somebody').log('for people');
    expect(written).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] .*INFO.*\[Somebody\] for people/);
  });
});
