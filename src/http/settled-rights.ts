import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Actor } from '../access/actor';
import type { ActorsService } from '../access/actors.service';
import { accompanyingCheck } from '../database/abandonment';
import { OutdatedError } from '../database/accompanying-check';
import { prepareProblem } from './problem.filter';
import { ONCE_MORE } from './request-done';

/** What tells of the connection, not of the answer. */
const OF_THE_CONNECTION = ['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding'];
/** What tells of an answer that is not given. */
const OF_THE_ANSWER = ['content-length', 'content-type', 'etag', 'link', 'location', 'retry-after', 'www-authenticate'];

/**
 * Lets nothing out that was done for a caller who was known from before, neither an answer nor an error, until it is settled that
 * all is so still. If it is not, the request is made once more, of a caller who is asked for anew.
 */
export function settleRights(fastify: FastifyInstance, actors: ActorsService): void {
  fastify.addHook('onSend', (request, reply, body: unknown, done) => {
    const check = accompanyingCheck();
    if (!check || check.hasPassed) return done(null, body);
    check.settleNow().then(
      () => done(null, body),
      (error: unknown) => {
        for (const name of OF_THE_ANSWER) void reply.removeHeader(name);
        if (!(error instanceof OutdatedError)) return done(null, prepareProblem(error, request, reply));
        actors.forget((request as unknown as { user: Actor }).user);
        askAgain(request, reply).then(
          (answer) => done(null, answer),
          (reason: unknown) =>
            done(null, prepareProblem(isStopping(reason) ? { statusCode: 503 } : reason, request, reply)),
        );
      },
    );
  });
}

/** The request as it came, through everything that a request passes. @returns its answer's body */
async function askAgain(request: FastifyRequest, reply: FastifyReply): Promise<Buffer | null> {
  const answer = await request.server.inject({
    method: 'GET',
    url: request.url,
    headers: { ...request.headers, 'x-request-id': request.id, [ONCE_MORE.name]: ONCE_MORE.value },
    remoteAddress: request.socket.remoteAddress!,
  });
  const { headers, rawPayload } = answer;
  for (const name of OF_THE_CONNECTION) delete headers[name];
  void reply.status(answer.statusCode).headers(headers);
  return rawPayload.length > 0 ? rawPayload : null;
}

/** Fastify begins nothing more within itself while it waits for the requests under way. */
function isStopping(reason: unknown): boolean {
  return (reason as { code?: unknown } | undefined)?.code === 'FST_ERR_REOPENED_CLOSE_SERVER';
}
