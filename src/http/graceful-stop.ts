import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Lets a stop wait for the requests under way and for nothing else. Fastify closes idle connections itself; two kinds
 * would still hold it up for a minute: one that is kept alive after the answer it was waiting for, and one on which
 * nothing was ever asked, as browsers open them in advance.
 */
export function stopGracefully(fastify: FastifyInstance): void {
  const silent = new Set<Socket>();
  let isStopping = false;
  fastify.server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  fastify.server.on('request', ({ socket }: { socket: Socket }) => silent.delete(socket));
  fastify.addHook('preClose', (done) => {
    isStopping = true;
    for (const socket of silent) socket.destroy();
    done();
  });
  fastify.addHook('onSend', (_request, reply, _payload, done) => {
    if (isStopping) void reply.header('connection', 'close');
    done();
  });
}
