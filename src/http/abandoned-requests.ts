import type { FastifyInstance } from 'fastify';
import { CallersPresence, whileWanted } from '../database/abandonment';

/**
 * Lets the database know when a caller has hung up, so that nothing runs on for nobody. The hook is the one after the body
 * has been read: reading it loses the asynchronous context.
 */
export function followCallers(fastify: FastifyInstance): void {
  fastify.addHook('preValidation', (request, reply, done) => {
    const caller = new CallersPresence();
    reply.raw.on('close', () => {
      if (!reply.raw.writableFinished) caller.end();
    });
    whileWanted(caller, done, request.id);
  });
}
