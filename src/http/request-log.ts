import { Logger } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';

/** One line for each answer. The path without its query, since a query may hold what a log should not. */
export function logRequests(fastify: FastifyInstance): void {
  const logger = new Logger('Request');
  fastify.addHook('onResponse', (request, reply, done) => {
    const path = request.url.split('?', 1)[0];
    logger.debug(`${request.id} ${request.method} ${path} ${reply.statusCode} ${reply.elapsedTime.toFixed(1)} ms`);
    done();
  });
}
