import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Actor, Caller } from '../access/actor';
import { announcement } from '../common/announcement';

/** A request that is over. */
export interface RequestDone {
  requestId: string;
  method: string;
  /** The template of the route (`/v1/tenants/:tenantId`), never the path; undefined when no route matched. */
  route: string | undefined;
  /** 499, as nginx has it, when the caller went before the answer. */
  status: number;
  /** From the headers' arrival until the answer has left. */
  seconds: number;
  /** Of the actor. Undefined for a caller who has not proved to be in the tenant: anybody can put an id into a path. */
  tenantId: string | undefined;
  /** Of the caller. Undefined for nobody in particular. */
  accountId: string | undefined;
}

/** The status of a request whose caller went before the answer. */
export const CALLER_WENT = 499;

export const requestDone = announcement<RequestDone>('tenantry:http.request-done');

/** A header of a request that is made once more within this process (settled-rights.ts): no other one, since no caller knows it. */
export const ONCE_MORE = { name: 'x-once-more', value: randomUUID() };

/** Tells of each request, the abandoned ones included (which is why it does not use Fastify's onResponse). */
export function announceRequests(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.headers[ONCE_MORE.name] !== ONCE_MORE.value) announceWhenDone(request, reply);
    done();
  });
}

/** Tells of this request when it is over; for one that the router refuses, before any hook runs. */
export function announceWhenDone(request: FastifyRequest, reply: FastifyReply): void {
  const start = performance.now();
  reply.raw.on('close', () => {
    const { user } = request as { user?: Caller | Actor };
    requestDone.publish({
      requestId: request.id,
      method: request.method,
      route: request.is404 ? undefined : request.routeOptions.url,
      status: reply.raw.writableFinished ? reply.statusCode : CALLER_WENT,
      seconds: (performance.now() - start) / 1000,
      tenantId: user && 'tenantId' in user ? user.tenantId : undefined,
      accountId: user?.accountId,
    });
  });
}
