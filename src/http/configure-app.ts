import cors from '@fastify/cors';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Env } from '../config/env';
import { followCallers } from './abandoned-requests';
import { stopGracefully } from './graceful-stop';
import { takeJsonBodies } from './json-body';
import { Lifecycle } from './lifecycle';
import { announceRequests } from './request-done';
import { requestIdOf } from './request-id';
import { logRequests } from './request-log';
import { setResponseHeaders } from './response-headers';
import { answerClientError, answerRouterError } from './transport-errors';
import { InputPipe } from './validation.pipe';

const MAX_BODY_BYTES = 1024 * 1024;
const MAX_PARAM_LENGTH = 200;
/** A caller who sends its request slower than this is cut off. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Node looks for slow requests in intervals: so many within the time that one may take. */
const SLOW_REQUEST_CHECKS = 6;

/**
 * Fastify as Tenantry needs it; `trustProxy` decides whose word about the caller's address counts.
 * @param requestTimeoutMs how long a request may take to arrive, its body included
 */
export function createAdapter(env: Env, requestTimeoutMs = REQUEST_TIMEOUT_MS): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: requestTimeoutMs,
    // Node swaps the two timeouts when that for the headers, a minute by default, is the longer one.
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: requestTimeoutMs / SLOW_REQUEST_CHECKS },
    frameworkErrors: answerRouterError,
    clientErrorHandler: answerClientError,
    // While it stops, what still comes over open connections is served: readiness has told everybody else to go elsewhere.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    genReqId: requestIdOf,
    trustProxy: (_address: string, hop: number) => hop < env.TRUST_PROXY,
    // An idle keep-alive connection would otherwise hold up a graceful stop.
    forceCloseConnections: 'idle',
  });
}

/** What every request passes through, whichever its route: headers, limits, validation. */
export async function configureApp(app: NestFastifyApplication, env: Env): Promise<void> {
  app.useGlobalPipes(new InputPipe());
  const fastify = app.getHttpAdapter().getInstance();
  announceRequests(fastify);
  takeJsonBodies(fastify);
  setResponseHeaders(fastify);
  followCallers(fastify);
  logRequests(fastify, env);
  stopGracefully(fastify, app.get(Lifecycle));
  await app.register(cors, {
    strictPreflight: false, // an OPTIONS that is no preflight would be answered in plain text
    origin: env.CORS_ORIGINS,
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['ETag', 'Link', 'Location', 'Retry-After', 'X-Request-Id'],
  });
}
