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
import { OutdatedError } from '../database/accompanying-check';
import { describeError, withoutSecretFields } from './log-redaction';
import type { ProblemDto } from './problem';
import { type ProblemCode, PROBLEMS } from './problem-catalogue';
import { secretsOf } from './request-secrets';

/** What an error says to the caller, and under which status. */
export interface Outcome extends Pick<ProblemDto, 'status' | 'code' | 'detail'> {
  errors?: readonly { pointer: string; code: string; message: string }[];
  retryAfterSeconds?: number;
}

/** What goes wrong before a controller is reached, by status. */
const TRANSPORT_PROBLEMS: Record<number, ProblemCode> = {
  400: 'malformed_request',
  404: 'route_not_found',
  405: 'method_not_allowed',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  431: 'headers_too_large',
  503: 'shutting_down',
};

const logger = new Logger('Request');

/** Every error becomes problem+json here, and only here. What is not foreseen says nothing but the request's id. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const reply = http.getResponse<FastifyReply>();
    void reply.send(prepareProblem(error, http.getRequest<FastifyRequest>(), reply));
  }
}

/** Logs the error where it is ours, and gives `reply` its status and headers. @returns its body */
export function prepareProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): string {
  const outcome = outcomeOf(error);
  // What was done for rights that have changed is not told to anybody: http/settled-rights.ts has it done anew.
  if (!(error instanceof OutdatedError)) {
    if (outcome.status === 500) logger.error(lineOf(outcome, error, request));
    else if (error instanceof UnavailableError) logger.warn(lineOf(outcome, error, request));
  }
  if (outcome.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (outcome.retryAfterSeconds !== undefined) void reply.header('retry-after', String(outcome.retryAfterSeconds));
  void reply.status(outcome.status).header('content-type', 'application/problem+json; charset=utf-8');
  return JSON.stringify(toProblem(outcome, request.url.split('?', 1)[0]!, request.id));
}

/** The body of the answer. @param instance the path of the request */
export function toProblem({ status, code, detail, errors }: Outcome, instance: string, requestId: string): ProblemDto {
  return {
    type: `urn:tenantry:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    instance,
    code,
    requestId,
    ...(errors?.length && { errors: [...errors] }),
  };
}

export function outcomeOf(error: unknown): Outcome {
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
  if (known) return catalogued(known);
  return catalogued(
    typeof status === 'number' && status >= 400 && status < 500 ? 'malformed_request' : 'internal_error',
  );
}

function catalogued(code: ProblemCode): Outcome {
  const [status, detail] = PROBLEMS[code];
  return { status, code, detail };
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

/** What the log says of an error: nothing that the caller has sent, which its message may quote. */
function lineOf({ code }: Outcome, error: unknown, request: FastifyRequest): Record<string, unknown> {
  const err = withoutSecretFields({ ...describeError(error) }, secretsOf(request));
  return { msg: `${code}: ${String(err.message)}`, requestId: request.id, code, err };
}
