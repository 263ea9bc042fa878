import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Lifecycle } from './lifecycle';

/**
 * Lets a stop wait for the requests under way and for nothing else. Fastify closes idle connections itself; two kinds
 * would still hold it up for a minute: one that is kept alive after the answer it was waiting for, and one on which
 * nothing was ever asked, as browsers open them in advance. An instance that stops asks its callers to come back on another
 * connection, which leads them elsewhere.
 */
export function stopGracefully(fastify: FastifyInstance, lifecycle: Lifecycle): void {
  const silent = new Set<Socket>();
  fastify.server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  fastify.server.on('request', ({ socket }: { socket: Socket }) => silent.delete(socket));
  fastify.addHook('preClose', (done) => {
    for (const socket of silent) socket.destroy();
    done();
  });
  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    if (lifecycle.phase === 'stopping') void reply.header('connection', 'close');
    done();
  });
}
