import cors from '@fastify/cors';
import helmet from '@fastify/helmet';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Env } from '../config/env';
import { requestIdOf } from './request-id';
import { logRequests } from './request-log';
import { createValidationPipe } from './validation.pipe';

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_PARAM_LENGTH = 200;
/** A caller who sends its request slower than this is cut off. */
const REQUEST_TIMEOUT_MS = 30_000;
/** One year, as OWASP's HSTS cheat sheet has it. */
const HSTS_SECONDS = 31_536_000;

/** Fastify as Tenantry needs it; `trustProxy` decides whose word about the caller's address counts. */
export function createAdapter(env: Env): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    genReqId: requestIdOf,
    trustProxy: (_address: string, hop: number) => hop < env.TRUST_PROXY,
    // An idle keep-alive connection would otherwise hold up a graceful stop.
    forceCloseConnections: 'idle',
  });
}

/** What every request passes through, whichever its route: headers, limits, validation. */
export async function configureApp(app: NestFastifyApplication, env: Env): Promise<void> {
  app.useGlobalPipes(createValidationPipe());
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addContentTypeParser(
    'application/merge-patch+json',
    { parseAs: 'string' },
    fastify.getDefaultJsonParser('error', 'error'),
  );
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id).header('cache-control', 'no-store');
    done();
  });
  logRequests(fastify);
  await app.register(helmet, {
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
  await app.register(cors, {
    origin: env.CORS_ORIGINS,
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['ETag', 'Link', 'Location', 'Retry-After', 'X-Request-Id'],
  });
}
