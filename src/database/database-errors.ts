import { types } from 'node:util';
import { Prisma } from '@prisma/client';
import { ConflictError, DomainError, InvalidInputError, UnavailableError } from '../common/errors';

/** SQLSTATEs (PostgreSQL manual, appendix A) that mean: not now. */
const TIMEOUT_STATES = new Set(['57014', '55P03', '25P03', '25P04']);
const RETRYABLE_STATES = new Set(['40001', '40P01']);
const UNAVAILABLE_STATES = /^(08|53|57P)/;
const NETWORK_ERRORS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
/** Prisma's codes for a server that can't be reached (error reference, P1xxx). */
const UNREACHABLE_CODES = new Set(['P1000', 'P1001', 'P1002', 'P1003', 'P1008', 'P1010', 'P1011', 'P1017']);
const TRANSACTION_API_ERROR = 'P2028';

/** A fault of the connection in the words of the contract; any other error as it is. */
export function asDomainError(error: unknown): unknown {
  if (error instanceof DomainError || !types.isNativeError(error)) return error; // one of another realm, too
  const state = sqlState(error);
  const code = (error as { code?: unknown }).code;
  if ((state && TIMEOUT_STATES.has(state)) || error.message === 'Query read timeout') {
    return new UnavailableError('database_timeout', 'The database took too long. Try again.', 1, { cause: error });
  }
  if (state && RETRYABLE_STATES.has(state)) {
    return new UnavailableError('too_busy', 'Somebody else changed the same data at the same time. Try again.', 1, {
      cause: error,
    });
  }
  if (error.message.includes('timeout exceeded when trying to connect') || code === TRANSACTION_API_ERROR) {
    return new UnavailableError('too_busy', 'All database connections are busy. Try again.', 1, { cause: error });
  }
  if (
    (state && UNAVAILABLE_STATES.test(state)) ||
    (typeof code === 'string' && (UNREACHABLE_CODES.has(code) || NETWORK_ERRORS.has(code))) ||
    /connection terminated|client has encountered a connection error/i.test(error.message)
  ) {
    return new UnavailableError('database_unavailable', 'The database cannot be reached. Try again.', 2, {
      cause: error,
    });
  }
  return error;
}

/** Which constraint a write ran into, and what to tell the caller. */
export interface ConflictRule {
  code: string;
  pointer: string;
  message: string;
}

/**
 * A unique violation (P2002) as a conflict; any other error as it is. Uniqueness is the database's word: write, then ask.
 * @param rules by the name of the violated index
 */
export function asConflict(error: unknown, rules: Record<string, ConflictRule>): unknown {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError) || error.code !== 'P2002') return error;
  const rule = rules[violatedIndex(error) ?? ''];
  if (!rule) return error;
  return new ConflictError(rule.code, rule.message, [rule], { cause: error });
}

/** A violated foreign key (P2003) as wrong input at `pointer`; any other error as it is. */
export function asUnknownReference(error: unknown, pointer: string, message: string): unknown {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError) || error.code !== 'P2003') return error;
  return new InvalidInputError([{ pointer, code: 'unknown_reference', message }]);
}

interface DriverAdapterMeta {
  driverAdapterError?: { cause?: { originalCode?: string; constraint?: { index?: string } } };
}

function violatedIndex(error: Prisma.PrismaClientKnownRequestError): string | undefined {
  return (error.meta as DriverAdapterMeta | undefined)?.driverAdapterError?.cause?.constraint?.index;
}

function sqlState(error: Error): string | undefined {
  const { code, meta, severity } = error as {
    code?: unknown;
    meta?: DriverAdapterMeta & { code?: string };
    severity?: unknown;
  };
  if (severity && typeof code === 'string') return code; // pg's own DatabaseError
  return meta?.driverAdapterError?.cause?.originalCode ?? meta?.code;
}
