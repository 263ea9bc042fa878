import { Body, Controller, Module, Post } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Env } from '../../src/config/env';
import { configureApp, createAdapter } from '../../src/http/configure-app';
import { Lifecycle } from '../../src/http/lifecycle';
import { createTestApp, type TestApp } from '../support/app';
import { type RawAnswer, sendBytes, sendRaw } from '../support/raw-http';

const REQUEST_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ADMIN_FRONTEND = 'https://admin.example.com';
const KIB = 1024;

let app: TestApp;
/** As an operator gets it who sets nothing. */
let production: TestApp;
beforeAll(async () => {
  [app, production] = await Promise.all([
    createTestApp({ CORS_ORIGINS: [ADMIN_FRONTEND] }),
    createTestApp({ NODE_ENV: 'production', TRUST_PROXY: 0 }),
  ]);
});
afterAll(() => Promise.all([app?.close(), production?.close()]));

const bearer = (): Record<string, string> => ({ authorization: `Bearer ${app.administrator.tokens.accessToken}` });
const send = (path: string, options?: Parameters<typeof sendRaw>[2]): Promise<RawAnswer> =>
  sendRaw(app.target.url, path, options);

/** Asserts a problem of this code in its full shape, its headers included. */
function expectProblem(answer: RawAnswer, status: number, code: string, instance = '/v1/tenants'): void {
  const { headers, text } = answer;
  expect({ status: answer.status, text }).toEqual({ status, text: expect.stringMatching(/^\{/) });
  expect(JSON.parse(text)).toMatchObject({
    type: `urn:tenantry:problem:${code}`,
    title: expect.stringMatching(/\w/),
    status,
    detail: expect.stringMatching(/\w/),
    instance,
    code,
    requestId: headers['x-request-id'],
  });
  expect(headers).toMatchObject({
    'content-type': 'application/problem+json; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-request-id': expect.stringMatching(REQUEST_ID),
  });
  expect(text).not.toMatch(/FST_|node_modules|\.ts:|\bat [\w.]+ \(/);
}

describe('what never reaches a route', () => {
  it('is a problem for an unknown route', async () => {
    await app.anonymous().get('/v1/nothing').expectProblem(404, 'route_not_found');
    await app.anonymous().get('/').expectProblem(404, 'route_not_found');
  });

  it('is a problem for a method that a route does not know', async () => {
    await app.administrator.put('/v1/tenants', {}).expectProblem(404, 'route_not_found');
    expectProblem(await send('/v1/tenants', { method: 'PROPFIND' }), 404, 'route_not_found');
  });

  it('is a problem for TRACE, which echoes nothing', async () => {
    const answer = await send('/v1/tenants', { method: 'TRACE', headers: bearer() });
    expectProblem(answer, 404, 'route_not_found');
    expect(JSON.stringify(answer)).not.toContain(app.administrator.tokens.accessToken);
  });

  it('is a problem for a URL that cannot be decoded', async () => {
    expectProblem(await send('/v1/%zz?token=secret'), 400, 'malformed_request', '/v1/%zz');
  });

  it('is a problem for an id of 300 characters', async () => {
    const path = `/v1/tenants/${'a'.repeat(300)}`;
    expectProblem(await send(path, { headers: bearer() }), 414, 'uri_too_long', path);
  });

  it('is a problem for headers of more than 16 KiB', async () => {
    const answer = await send('/v1/tenants', { headers: { 'x-large': 'a'.repeat(20 * KIB) } });
    expectProblem(answer, 431, 'headers_too_large', '/');
  });

  it('is a problem for bytes that are no HTTP', async () => {
    const answer = await sendBytes(app.target.url, 'GET / HTTP/1.1\r\nNo header at all\r\n\r\n');
    const [head, body] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(head).toMatch(/content-type: application\/problem\+json/);
    expect(JSON.parse(body!)).toMatchObject({ status: 400, code: 'malformed_request' });
  });

  it('is a problem that says how to sign in, where a token is missing', async () => {
    const { headers } = await app.anonymous().get('/v1/tenants').expectProblem(401, 'unauthenticated');
    expect(headers).toMatchObject({ 'www-authenticate': 'Bearer' });
  });
});

describe('a body', () => {
  const post = (body: string, headers: Record<string, string> = {}): Promise<RawAnswer> =>
    send('/v1/tenants', { method: 'POST', headers: { ...bearer(), ...headers }, body });

  it.each(['{', '{"name":}', '"', 'name=x', '{"name":"x"}}', '\u0000'])(
    'is refused when it is no JSON: %j',
    async (body) => {
      expectProblem(await post(body), 400, 'malformed_request');
    },
  );

  it.each([
    'text/plain',
    'application/xml',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/jsonx',
    ';;',
  ])('is refused as %s', async (contentType) => {
    expectProblem(await post('{"name":"x"}', { 'content-type': contentType }), 415, 'unsupported_media_type');
  });

  it('is JSON whichever charset and case its content type is written in', async () => {
    expectProblem(await post('{}', { 'content-type': 'Application/JSON; charset=UTF-8' }), 422, 'invalid_input');
  });

  it('is a merge patch with PATCH only', async () => {
    expectProblem(await post('{}', { 'content-type': 'application/merge-patch+json' }), 415, 'unsupported_media_type');
  });

  it.each([2, 10])('of %d MiB is refused', async (mebibytes) => {
    const body = JSON.stringify({ name: 'x'.repeat(mebibytes * KIB * KIB) });
    // Beyond the limit the connection may be closed while the body is still on its way.
    const answer = await post(body).catch((error: NodeJS.ErrnoException) => error.code);
    if (typeof answer === 'object') expectProblem(answer, 413, 'body_too_large');
    else expect(answer).toMatch(/^(EPIPE|ECONNRESET)$/);
  });

  it('of less than 1 MiB is read', async () => {
    expectProblem(await post(JSON.stringify({ name: 'x'.repeat(KIB * KIB - 100) })), 422, 'invalid_input');
  });

  it('may be absent where none is needed, whatever the content type says', async () => {
    const answer = await send('/v1/auth/logout', {
      method: 'POST',
      headers: { authorization: 'Bearer nonsense', 'content-type': 'application/json' },
    });
    expectProblem(answer, 401, 'invalid_token', '/v1/auth/logout');
  });

  it('that comes too slowly is cut off', async () => {
    const slow = await startSlowApp(300);
    try {
      const answer = sendRaw(await slow.getUrl(), '/echo', {
        method: 'POST',
        headers: { 'content-length': '100' },
        body: '{"name":',
        isUnfinished: true,
      });
      expectProblem(await answer, 408, 'request_timeout', '/');
    } finally {
      await slow.close();
    }
  });
});

describe('a query', () => {
  it.each([
    'limit=1000000000',
    'limit=1e9',
    'limit=101',
    'limit=0',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=1&limit=2',
  ])('with %s is refused', async (query) => {
    const { body } = await app.administrator.get(`/v1/tenants?${query}`).expectProblem(422, 'invalid_input');
    expect(body.errors).toEqual(expect.arrayContaining([expect.objectContaining({ pointer: '/query/limit' })]));
  });

  it('of 10,000 parameters is refused', async () => {
    const query = Array.from({ length: 10_000 }, (_, index) => `f${index}=1`).join('&');
    expectProblem(await send(`/v1/tenants?${query}`, { headers: bearer() }), 431, 'headers_too_large', '/');
  });

  it('of as many parameters as fit is refused in one short answer', async () => {
    const query = Array.from({ length: 2_000 }, (_, index) => `f${index}`).join('&');
    const answer = await send(`/v1/tenants?${query}`, { headers: bearer() });
    expectProblem(answer, 422, 'invalid_input');
    expect(answer.text.length).toBeLessThan(KIB);
  });
});

describe('X-Request-Id', () => {
  it.each(['01890a5d-ac96-774b-bcce-b302099a8057', 'trace:4bf92f35.77b34da6_a3', 'a'.repeat(128)])(
    'is taken when it is fit for a log: %s',
    async (id) => {
      const { headers } = await app.anonymous().get('/health/live').set('x-request-id', id).expect(200);
      expect(headers['x-request-id']).toBe(id);
    },
  );

  it.each(['', 'with space', '{"level":"error"}', '<script>', '%0d%0aforged', 'a'.repeat(129)])(
    'is made anew otherwise: %j',
    async (id) => {
      const { headers } = await app.anonymous().get('/health/live').set('x-request-id', id).expect(200);
      expect(headers['x-request-id']).toMatch(REQUEST_ID);
    },
  );

  it('stands in the audit trail of what the request did', async () => {
    const tenant = { name: 'Traced', slug: 'traced', owner: { email: 'traced@http.test', name: 'Traced' } };
    await app.administrator.post('/v1/tenants', tenant).set('x-request-id', 'trace-4711').expect(201);
    const events = await app.database.query(
      'admin',
      `SELECT action, user_agent FROM audit.events WHERE request_id = 'trace-4711'`,
    );
    expect(events).toEqual([{ action: 'tenant.created', user_agent: '' }]);
  });
});

describe('security headers', () => {
  it('stand on every answer, errors too', async () => {
    for (const path of ['/health/live', '/v1/tenants', '/v1/nothing', '/docs']) {
      const { headers } = await send(path);
      expect({ path, headers }).toMatchObject({
        path,
        headers: {
          'strict-transport-security': 'max-age=31536000; includeSubDomains',
          'x-content-type-options': 'nosniff',
          'x-frame-options': 'SAMEORIGIN',
          'referrer-policy': 'no-referrer',
          'content-security-policy': expect.stringContaining("default-src 'self'"),
        },
      });
      expect(headers).not.toHaveProperty('x-powered-by');
      expect(headers).not.toHaveProperty('server');
    }
  });

  it('keep answers with personal data out of every cache', async () => {
    const { headers } = await app.administrator.get('/v1/auth/me').expect(200);
    expect(headers['cache-control']).toBe('no-store');
  });
});

describe('browsers of other origins', () => {
  const PREFLIGHT = {
    'access-control-request-method': 'PATCH',
    'access-control-request-headers': 'authorization,if-match',
  };

  it('may call from an origin that is listed', async () => {
    const { headers } = await send('/health/live', { headers: { origin: ADMIN_FRONTEND } });
    expect(headers).toMatchObject({
      'access-control-allow-origin': ADMIN_FRONTEND,
      'access-control-expose-headers': 'ETag, Link, Location, Retry-After, X-Request-Id',
      vary: expect.stringContaining('Origin'),
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
    const preflight = await send('/v1/tenants', {
      method: 'OPTIONS',
      headers: { origin: ADMIN_FRONTEND, ...PREFLIGHT },
    });
    expect({ status: preflight.status, headers: preflight.headers }).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': ADMIN_FRONTEND,
        'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
        'access-control-allow-headers': 'authorization,if-match',
      },
    });
  });

  it.each(['https://evil.example', `${ADMIN_FRONTEND}.evil.example`, 'http://admin.example.com', 'null'])(
    'may not from %s',
    async (origin) => {
      for (const options of [{ headers: { origin } }, { method: 'OPTIONS', headers: { origin, ...PREFLIGHT } }]) {
        const { headers } = await send('/v1/tenants', options);
        expect(headers).not.toHaveProperty('access-control-allow-origin');
      }
    },
  );

  it('may not from anywhere unless configured', async () => {
    const { headers } = await sendRaw(production.target.url, '/health/live', { headers: { origin: ADMIN_FRONTEND } });
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });

  it('learn nothing from an OPTIONS that is no preflight', async () => {
    expect(await send('/v1/tenants', { method: 'OPTIONS' })).toMatchObject({ status: 204, text: '' });
  });
});

describe('HEAD', () => {
  it('answers as GET does, without a body', async () => {
    const get = await send('/v1/tenants', { headers: bearer() });
    const head = await send('/v1/tenants', { method: 'HEAD', headers: bearer() });
    expect({ status: head.status, text: head.text }).toEqual({ status: 200, text: '' });
    expect(head.headers['content-length']).toBe(String(Buffer.byteLength(get.text)));
  });

  it('wants a token where GET does', async () => {
    expect(await send('/v1/tenants', { method: 'HEAD' })).toMatchObject({ status: 401, text: '' });
  });
});

describe("the caller's address", () => {
  const addressOf = async ({ database }: TestApp, requestId: string): Promise<unknown> => {
    const [event] = await database.query('admin', 'SELECT address FROM audit.events WHERE request_id = $1', [
      requestId,
    ]);
    return event?.address;
  };
  const signInFrom = async (target: TestApp, requestId: string, forwardedFor: string): Promise<unknown> => {
    const { BOOTSTRAP_ADMIN_EMAIL: email } = target.nest.get(Env);
    const caller = target.anonymous().with({ 'x-request-id': requestId, 'x-forwarded-for': forwardedFor });
    await caller
      .post('/v1/auth/login', { email, password: 'not this one, surely' })
      .expectProblem(401, 'invalid_credentials');
    return addressOf(target, requestId);
  };

  it("is the connection's when no proxy is configured, whatever X-Forwarded-For says", async () => {
    expect(await signInFrom(production, 'forged', '203.0.113.9')).toBe('127.0.0.1');
  });

  it('is what the one trusted proxy saw, not what its caller claimed', async () => {
    expect(await signInFrom(app, 'one-proxy', '203.0.113.9, 198.51.100.7')).toBe('198.51.100.7');
  });
});

describe('/docs and /openapi.json', () => {
  const PATHS = ['/docs', '/docs/', '/docs-json', '/docs/swagger-ui-init.js', '/openapi.json', '/openapi.yaml'];

  it('are public in development', async () => {
    const answer = await send('/openapi.json');
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ openapi: '3.1.0', info: { title: 'Tenantry' } });
    expect(await send('/docs')).toMatchObject({
      status: 200,
      headers: { 'content-type': expect.stringMatching(/^text\/html/) },
    });
  });

  it('are not there in production', async () => {
    for (const path of PATHS) await production.anonymous().get(path).expectProblem(404, 'route_not_found');
  });
});

@Controller()
class EchoController {
  @Post('echo')
  echo(@Body() body: object): object {
    return body;
  }
}

@Module({ controllers: [EchoController], providers: [Lifecycle, Env] })
class EchoModule {}

/** The HTTP side of Tenantry alone, with less patience. */
async function startSlowApp(requestTimeoutMs: number): Promise<NestFastifyApplication> {
  const env = new Env();
  const options = { logger: false, bodyParser: false } as const;
  const nest = await NestFactory.create<NestFastifyApplication>(
    EchoModule,
    createAdapter(env, requestTimeoutMs),
    options,
  );
  await configureApp(nest, env);
  await nest.listen(0, '127.0.0.1');
  return nest;
}
