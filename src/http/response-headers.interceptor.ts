import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { map, type Observable } from 'rxjs';

interface Answer {
  id?: unknown;
  version?: unknown;
  page?: { nextCursor?: unknown };
}

/** Created, or accepted to be. */
const CREATED = new Set([201, 202]);

/** What follows from the body alone: `ETag` from its version, `Location` of what was created, `Link` to the next page, 304. */
@Injectable()
export class ResponseHeadersInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    return next.handle().pipe(map((body: unknown) => this.decorate(body, request, reply)));
  }

  private decorate(body: unknown, request: FastifyRequest, reply: FastifyReply): unknown {
    if (!body || typeof body !== 'object') return body;
    const { id, version, page } = body as Answer;
    const path = request.url.split('?', 1)[0]!;
    if (CREATED.has(reply.statusCode) && typeof id === 'string') void reply.header('location', `${path}/${id}`);
    if (typeof page?.nextCursor === 'string') {
      const query = new URLSearchParams(request.url.split('?')[1] ?? '');
      query.set('cursor', page.nextCursor);
      void reply.header('link', `<${path}?${query.toString()}>; rel="next"`);
    }
    if (typeof version !== 'number') return body;
    const etag = `"${version}"`;
    void reply.header('etag', etag);
    if (request.method === 'GET' && request.headers['if-none-match'] === etag) {
      void reply.status(304);
      return undefined;
    }
    return body;
  }
}
