import { STATUS_CODES } from 'node:http';
import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ConflictError,
  DomainError,
  ForbiddenError,
  InvalidInputError,
  NotFoundError,
  PreconditionFailedError,
  PreconditionRequiredError,
  TooManyRequestsError,
  UnauthenticatedError,
  UnavailableError,
} from '../common/errors';
import type { ProblemDto } from './problem';

interface Outcome extends Pick<ProblemDto, 'status' | 'code' | 'detail'> {
  errors?: readonly { pointer: string; code: string; message: string }[];
  retryAfterSeconds?: number;
}

/** Codes of what goes wrong before a controller is reached, by status. */
const TRANSPORT_PROBLEMS: Record<number, [code: string, detail: string]> = {
  400: ['malformed_request', 'The request cannot be read: its JSON or its headers are malformed.'],
  404: ['route_not_found', 'There is no such route.'],
  405: ['method_not_allowed', 'This route does not know this method.'],
  408: ['request_timeout', 'The request took too long to arrive.'],
  413: ['body_too_large', 'The body is larger than 1 MiB.'],
  414: ['uri_too_long', 'The URL is too long.'],
  415: ['unsupported_media_type', 'Send application/json, or application/merge-patch+json with PATCH.'],
  429: ['too_many_requests', 'Too many requests. Try again later.'],
  431: ['headers_too_large', 'The headers are too large.'],
  503: ['shutting_down', 'This instance is shutting down. Try again.'],
};

/** Every error becomes problem+json here, and only here. What is not foreseen says nothing but the request's id. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger('Request');

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const { retryAfterSeconds, errors, ...outcome } = outcomeOf(error);
    if (outcome.status === 500) this.logger.error(`${request.id} ${describe(error)}`);
    else if (error instanceof UnavailableError)
      this.logger.warn(`${request.id} ${outcome.code}: ${describe(error.cause)}`);
    const problem: ProblemDto = {
      type: `urn:tenantry:problem:${outcome.code}`,
      title: STATUS_CODES[outcome.status] ?? 'Error',
      status: outcome.status,
      detail: outcome.detail,
      instance: request.url.split('?', 1)[0]!,
      code: outcome.code,
      requestId: request.id,
      ...(errors?.length && { errors: [...errors] }),
    };
    if (outcome.status === 401) void reply.header('www-authenticate', 'Bearer');
    if (retryAfterSeconds !== undefined) void reply.header('retry-after', String(retryAfterSeconds));
    void reply
      .status(outcome.status)
      .header('content-type', 'application/problem+json; charset=utf-8')
      .send(JSON.stringify(problem));
  }
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof DomainError) {
    return {
      status: statusOf(error),
      code: error.code,
      detail: error.message,
      errors: error.errors,
      ...((error instanceof TooManyRequestsError || error instanceof UnavailableError) && {
        retryAfterSeconds: error.retryAfterSeconds,
      }),
    };
  }
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: unknown } | null)?.statusCode;
  const known = typeof status === 'number' ? TRANSPORT_PROBLEMS[status] : undefined;
  if (known) return { status: status as number, code: known[0], detail: known[1] };
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return { status: 400, code: TRANSPORT_PROBLEMS[400]![0], detail: TRANSPORT_PROBLEMS[400]![1] };
  }
  return {
    status: 500,
    code: 'internal_error',
    detail: 'Something went wrong on our side. Name the request id when you report it.',
  };
}

function statusOf(error: DomainError): number {
  if (error instanceof UnauthenticatedError) return 401;
  if (error instanceof ForbiddenError) return 403;
  if (error instanceof NotFoundError) return 404;
  if (error instanceof ConflictError) return 409;
  if (error instanceof PreconditionFailedError) return 412;
  if (error instanceof InvalidInputError) return 422;
  if (error instanceof PreconditionRequiredError) return 428;
  if (error instanceof TooManyRequestsError) return 429;
  if (error instanceof UnavailableError) return error.code === 'database_timeout' ? 504 : 503;
  return 500;
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
