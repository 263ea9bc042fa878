import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { newPassword } from '../support/app';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { type Ending, ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';
import { newPerson } from '../support/tenant';
import { type CollectedSpan, SPAN_KIND, TraceCollector } from '../support/trace-collector';

const ADMINISTRATOR = { email: 'administrator@tenantry.test', password: newPassword() };
/** So long that only the flush at the end can bring the spans in time. */
const NEVER_MS = '600000';

let project: ProjectCopy;
let dataDir: string;
let collector: TraceCollector;
let servers: ServerProcess[] = [];

function start(env: Record<string, string>): ServerProcess {
  const server = new ServerProcess(project.directory, {
    NODE_ENV: 'production',
    DATA_DIR: dataDir,
    LOG_LEVEL: 'debug',
    SHUTDOWN_DELAY_MS: '0',
    BOOTSTRAP_ADMIN_EMAIL: ADMINISTRATOR.email,
    BOOTSTRAP_ADMIN_PASSWORD: ADMINISTRATOR.password,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: NEVER_MS,
    ...env,
  });
  servers.push(server);
  return server;
}

async function stop(server: ServerProcess): Promise<Ending> {
  server.kill('SIGTERM');
  return server.ended;
}

interface Sent {
  traceId: string;
  parentId: string;
  status: number;
  body: Record<string, string>;
}

/** A request with a `traceparent` of its own. */
async function send(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Sent> {
  const [traceId, parentId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${parentId}-01`, ...headers },
    body: JSON.stringify(body),
  });
  return { traceId, parentId, status: response.status, body: (await response.json()) as Record<string, string> };
}

/** The lines of its log, parsed: everything it has written but the welcome. */
function linesOf({ output }: ServerProcess): Record<string, unknown>[] {
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const parentOf = (span: CollectedSpan, trace: CollectedSpan[]): CollectedSpan | undefined =>
  trace.find(({ spanId }) => spanId === span.parentSpanId);

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
  collector = await TraceCollector.start();
});
afterEach(async () => {
  for (const server of servers) server.kill('SIGTERM');
  await Promise.all(servers.map(({ ended }) => ended));
  servers = [];
});
afterAll(() => {
  collector?.stop();
  if (dataDir) removeTestDirectory(dataDir);
  project?.remove();
});

describe('a request with a traceparent', () => {
  const owner = newPerson('traced');
  const [name, slug, marker] = ['Traced tenant', `traced-${randomBytes(4).toString('hex')}`, randomUUID()];
  let server: ServerProcess;
  let signedIn: Sent;
  let created: Sent;
  let plainTraceIds: string[];
  let ending: Ending;

  beforeAll(async () => {
    server = start({});
    const url = await server.ready();
    signedIn = await send(`${url}/v1/auth/login`, ADMINISTRATOR);
    created = await send(
      `${url}/v1/tenants?${marker}=${marker}`,
      { name, slug, owner },
      {
        authorization: `Bearer ${signedIn.body.accessToken}`,
        cookie: `session=${marker}`,
        'user-agent': marker,
        'x-forwarded-for': '203.0.113.77',
        tracestate: `vendor=${marker}`,
      },
    );
    await (await fetch(`${url}/v1/${marker}`)).arrayBuffer();
    await (await fetch(`${url}/health/ready`)).arrayBuffer();
    ending = await stop(server);
    plainTraceIds = linesOf(server)
      .filter(({ msg }) => msg === 'GET unmatched 404')
      .map(({ trace_id: id }) => String(id));
  });

  it('is answered as ever', () => {
    expect([signedIn.status, created.status, ending.code]).toEqual([200, 201, 0]);
  });

  it('has a span with the name of its route, below that of the caller', () => {
    const roots = collector.trace(created.traceId).filter(({ kind }) => kind === SPAN_KIND.server);
    expect(roots).toEqual([
      expect.objectContaining({
        name: 'POST /v1/tenants',
        parentSpanId: created.parentId,
        attributes: expect.objectContaining({
          'http.request.method': 'POST',
          'http.route': '/v1/tenants',
          'http.response.status_code': 201,
        }),
        resource: expect.objectContaining({ 'service.name': 'tenantry' }),
      }),
    ]);
  });

  it('has a span for its handler, with the SQL of the service within', () => {
    const trace = collector.trace(created.traceId);
    const handler = trace.find((span) => span.name === 'TenantsController.create');
    expect(parentOf(handler!, trace)?.name).toBe('POST /v1/tenants');
    const inserts = trace.filter((span) =>
      String(span.attributes['db.query.text']).startsWith('INSERT INTO "app"."tenants"'),
    );
    expect(inserts).toHaveLength(1);
    expect(parentOf(inserts[0]!, trace)).toBe(handler);
    expect(inserts[0]!.kind).toBe(SPAN_KIND.client);
  });

  it('has no span outside of its trace: each but the first has its parent there', () => {
    for (const { traceId, parentId } of [signedIn, created]) {
      const trace = collector.trace(traceId);
      expect(trace.length).toBeGreaterThan(5);
      const orphans = trace.filter((span) => !parentOf(span, trace) && span.parentSpanId !== parentId);
      expect(orphans.map((span) => span.name)).toEqual([]);
    }
  });

  it('tells nothing that the caller has sent, no value of a statement and no secret', () => {
    const { accessToken, refreshToken } = signedIn.body;
    const passwords = [...readFileSync(path.join(dataDir, 'logins.json'), 'utf8').matchAll(/:([^:@/]+)@/g)];
    expect(passwords.length).toBeGreaterThan(2);
    const secrets = [
      ADMINISTRATOR.email,
      ADMINISTRATOR.password,
      accessToken,
      refreshToken,
      created.body.id,
      name,
      slug,
      owner.email,
      owner.name,
      owner.password,
      marker,
      '203.0.113.77',
      ...passwords.map(([, password]) => password),
    ];
    expect(secrets.filter((secret) => collector.received.includes(secret!))).toEqual([]);
    expect(collector.received).toContain('coalesce(held.roles, ?)'); // a constant of the guard's question
  });

  it('writes its trace id into each line of its log', () => {
    const lines = linesOf(server).filter(({ trace_id: id }) => id === created.traceId);
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'POST /v1/tenants 201',
        route: '/v1/tenants',
        span_id: expect.stringMatching(/^[\da-f]{16}$/),
      }),
    ]);
  });

  it('begins a trace of its own when it has none, but not for a probe', () => {
    expect(plainTraceIds).toHaveLength(1);
    expect(collector.trace(plainTraceIds[0]!).map((span) => span.name)).toEqual(['GET']);
    expect(collector.received).not.toContain('/health');
  });
});

it('takes no sample when told so', async () => {
  const server = start({ OTEL_TRACES_SAMPLER: 'always_off' });
  const { traceId, status } = await send(`${await server.ready()}/v1/auth/login`, ADMINISTRATOR);
  expect(status).toBe(200);
  expect((await stop(server)).code).toBe(0);
  expect(collector.trace(traceId)).toEqual([]);
});

it('serves and stops while the collector is silent', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1'); // takes connections and says nothing
  await once(silent, 'listening');
  const server = start({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
    OTEL_EXPORTER_OTLP_TIMEOUT: NEVER_MS, // a stop that waits for it is cut short, with exit code 1
  });
  expect((await send(`${await server.ready()}/v1/auth/login`, ADMINISTRATOR)).status).toBe(200);
  expect(await stop(server)).toEqual({ code: 0, signal: null });
  silent.close();
});

it('serves, says so and stops while there is no collector', async () => {
  const server = start({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    OTEL_BSP_SCHEDULE_DELAY: '10',
    OTEL_EXPORTER_OTLP_TIMEOUT: '200',
  });
  expect((await send(`${await server.ready()}/v1/auth/login`, ADMINISTRATOR)).status).toBe(200);
  await server.says(/Spans do not reach the collector/);
  expect(await stop(server)).toEqual({ code: 0, signal: null });
});

it('loads nothing of OpenTelemetry while it is off, but for the empty interface that prom-client brings', () => {
  const program = `require('./dist/tracing/tracing'); require('./dist/create-app'); require('./dist/http/app-logger');
    console.log(JSON.stringify(Object.keys(require.cache).filter((file) => /@opentelemetry[/](?!api[/])/.test(file))))`;
  const { PATH, HOME } = process.env;
  const output = execFileSync(process.execPath, ['-e', program], {
    cwd: project.directory,
    env: { PATH, HOME },
    encoding: 'utf8',
  });
  expect(JSON.parse(output)).toEqual([]);
});
