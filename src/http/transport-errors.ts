import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { newId } from '../common/id';
import { outcomeOf, toProblem } from './problem.filter';
import { announceWhenDone } from './request-done';

/** Of what Node's parser refuses; anything else is malformed. */
const STATUS_OF_CODE: Record<string, number> = { ERR_HTTP_REQUEST_TIMEOUT: 408, HPE_HEADER_OVERFLOW: 431 };

const headersFor = (requestId: string): Record<string, string> => ({
  'content-type': 'application/problem+json; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-request-id': requestId,
});

/** Answers what Fastify's router refuses before any hook runs: a URL that cannot be decoded, or an overlong id in it. */
export function answerRouterError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  announceWhenDone(request, reply);
  const outcome = outcomeOf(error);
  const problem = toProblem(outcome, request.url.split('?', 1)[0]!, request.id);
  void reply.status(outcome.status).headers(headersFor(request.id)).send(JSON.stringify(problem));
}

/** Answers what Node cannot make a request of: headers that are malformed or too large, or a request that comes too slowly. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const outcome = outcomeOf({ statusCode: STATUS_OF_CODE[error.code ?? ''] ?? 400 });
  const requestId = newId();
  const body = JSON.stringify(toProblem(outcome, '/', requestId)); // of the path nothing is known
  const headers = { ...headersFor(requestId), 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${outcome.status} ${STATUS_CODES[outcome.status]}\r\n${lines.join('')}\r\n${body}`, () =>
    socket.destroy(),
  );
}
