import { Logger } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import type { Env } from '../config/env';
import { type RequestDone, requestDone } from './request-done';

/** What orchestrators ask every few seconds. */
const PROBES = /^\/(?:health|metrics)(?:\/|$)/;

const logger = new Logger('Request');

/** One line for each request, the abandoned ones included, where the log takes such lines. */
export function logRequests(fastify: FastifyInstance, { LOG_LEVEL }: Pick<Env, 'LOG_LEVEL'>): void {
  if (LOG_LEVEL === 'warn' || LOG_LEVEL === 'error') return;
  const end = requestDone.subscribe(logRequest);
  fastify.addHook('onClose', (_instance, done) => {
    end();
    done();
  });
}

/**
 * Of the URL only the template of the route: a path holds what callers make up, and a query what a log should not have.
 * The request id leads from here to the audit trail, which has the ids.
 */
function logRequest({ requestId, method, route, status, seconds, tenantId, accountId }: RequestDone): void {
  const line = {
    msg: `${method} ${route ?? 'unmatched'} ${status}`,
    requestId,
    method,
    route,
    status,
    durationMs: Math.round(seconds * 1e4) / 10,
    tenantId,
    accountId,
  };
  if (route !== undefined && PROBES.test(route)) logger.debug(line);
  else logger.log(line);
}
