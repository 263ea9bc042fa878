import { subscribe } from 'node:diagnostics_channel';
import { trace } from '@opentelemetry/api';
import type { FastifyInstance } from 'fastify';

/** What Fastify matches when it has no route of its own for a path. */
const CATCH_ALL = '*';

/** Names the span of a request after its route (`GET /v1/tenants/:tenantId`) as soon as that is known. Paths would be names without end. */
export function nameSpansByRoute(): void {
  subscribe('fastify.initialization', (message) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRequest', (request, _reply, done) => {
      const { url: route = CATCH_ALL } = request.routeOptions;
      if (!request.is404 && route !== CATCH_ALL)
        trace.getActiveSpan()?.updateName(`${request.method} ${route}`).setAttribute('http.route', route);
      done();
    });
  });
}
