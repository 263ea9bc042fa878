import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import helmet from 'helmet';

/** One year, as OWASP's HSTS cheat sheet has it. */
const HSTS_SECONDS = 31_536_000;
/** Created, or accepted to be. */
const CREATED = new Set([201, 202]);
const NOT_MODIFIED = 304;

interface Answer {
  id?: unknown;
  version?: unknown;
  page?: { nextCursor?: unknown };
}

/** The headers of answers: those of each, and those that follow from the body. */
export function setResponseHeaders(fastify: FastifyInstance): void {
  const fixed = { 'cache-control': 'no-store', ...securityHeaders() };
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers(fixed).header('x-request-id', request.id);
    done();
  });
  fastify.addHook('preSerialization', (request, reply, body: unknown, done) => {
    if (reply.statusCode < 300 && body && typeof body === 'object') describe(body, request, reply);
    done(null, body);
  });
  fastify.addHook('onSend', (_request, reply, body: unknown, done) => {
    if (reply.statusCode !== NOT_MODIFIED) return done(null, body);
    void reply.removeHeader('content-type');
    done(null, null);
  });
}

/** What helmet sets is the same for each answer: it is asked once. */
function securityHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  const set = helmet({
    hsts: { maxAge: HSTS_SECONDS },
    contentSecurityPolicy: {
      directives: {
        defaultSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        upgradeInsecureRequests: null, // Tenantry may be served over plain HTTP behind a proxy or on localhost
      },
    },
  });
  const response = {
    setHeader: (name: string, value: string) => (headers[name.toLowerCase()] = value),
    removeHeader: () => undefined,
  };
  set(undefined as never, response as never, (error?: unknown) => {
    if (error) throw error as Error;
  });
  return headers;
}

/** `ETag` from its version, `Location` of what was created, `Link` to the next page, 304. */
function describe({ id, version, page }: Answer, request: FastifyRequest, reply: FastifyReply): void {
  if (CREATED.has(reply.statusCode) && typeof id === 'string')
    void reply.header('location', `${pathOf(request)}/${id}`);
  if (typeof page?.nextCursor === 'string') {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '');
    query.set('cursor', page.nextCursor);
    void reply.header('link', `<${pathOf(request)}?${query.toString()}>; rel="next"`);
  }
  if (typeof version !== 'number') return;
  const etag = `"${version}"`;
  void reply.header('etag', etag);
  if (request.method === 'GET' && request.headers['if-none-match'] === etag) void reply.status(NOT_MODIFIED);
}

const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0]!;
