import { types } from 'node:util';
import { Prisma } from '@prisma/client';
import { ConflictError, DomainError, UnavailableError } from '../common/errors';
import { isTlsFault } from './tls-fault';

/** SQLSTATEs (PostgreSQL manual, appendix A) that mean: not now. */
const TIMEOUT_STATES = new Set(['57014', '55P03', '25P03', '25P04']);
const RETRYABLE_STATES = new Set(['40001', '40P01']);
const UNAVAILABLE_STATES = /^(08|53|57P)/;
/** read_only_sql_transaction: the server is a standby, or has become one. */
const READ_ONLY_STATE = '25006';
const UNIQUE_VIOLATION = '23505';
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
/** What adapter-pg makes of a fault of the socket or its encryption. In a raw query it reaches us as P2010, with no other sign. */
const LOST_KINDS = new Set(['ConnectionClosed', 'DatabaseNotReachable', 'SocketTimeout', 'TlsConnectionError']);
/** Prisma's code for a transaction that did not begin in time (`maxWait`), or was not over in time (`timeout`). */
const TRANSACTION_API_ERROR = 'P2028';
/** PgBouncer's words when no connection of the server came free in time; its SQLSTATE is that of all its faults, 08P01. */
const POOLER_BUSY = /query_wait_timeout/;
const NOT_BEGUN = /timeout exceeded when trying to connect|Unable to start a transaction in the given time/;

// types.isNativeError, not instanceof: what Node itself throws is of another realm than jest's.

/** A fault of the connection in the words of the contract; any other error as it is. */
export function asDomainError(error: unknown): unknown {
  if (isAbandoned(error)) return new UnavailableError('request_abandoned', 'The caller has gone.', 1, { cause: error });
  if (error instanceof DomainError || !types.isNativeError(error)) return error;
  const state = sqlState(error);
  const code = (error as { code?: unknown }).code;
  if (NOT_BEGUN.test(error.message) || POOLER_BUSY.test(error.message)) {
    return new UnavailableError('too_busy', 'All database connections are busy. Try again.', 1, { cause: error });
  }
  if (
    (state && TIMEOUT_STATES.has(state)) ||
    error.message === 'Query read timeout' ||
    code === TRANSACTION_API_ERROR
  ) {
    return new UnavailableError('database_timeout', 'The database took too long. Try again.', 1, { cause: error });
  }
  if (state && RETRYABLE_STATES.has(state)) {
    return new UnavailableError('too_busy', 'Somebody else changed the same data at the same time. Try again.', 1, {
      cause: error,
    });
  }
  if (isConnectionLost(error) || isReadOnlyServer(error)) {
    return new UnavailableError('database_unavailable', 'The database cannot be reached. Try again.', 2, {
      cause: error,
    });
  }
  return error;
}

/** Is it an AbortSignal's reason? That is a DOMException, no native error; Prisma keeps its number alone. */
function isAbandoned(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown };
  return name === 'AbortError' || code === DOMException.ABORT_ERR;
}

/** Was it the connection that failed, and not the statement? Then the outcome of a statement under way is unknown. */
export function isConnectionLost(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  if (POOLER_BUSY.test(error.message)) return false; // nothing was begun; asking again would make the queue longer
  const state = sqlState(error);
  const code = (error as { code?: unknown }).code;
  return (
    (state !== undefined && UNAVAILABLE_STATES.test(state)) ||
    LOST_KINDS.has(driverKind(error) ?? '') ||
    isTlsFault(error) ||
    (typeof code === 'string' && (UNREACHABLE_CODES.has(code) || NETWORK_ERRORS.has(code))) ||
    /connection terminated|client has encountered a connection error|connection ended/i.test(error.message)
  );
}

/** Did a write meet a server that takes none? It has left nothing behind; another server may take it. */
export function isReadOnlyServer(error: unknown): boolean {
  return types.isNativeError(error) && sqlState(error) === READ_ONLY_STATE;
}

/** Did the transaction lose against another one (serialization failure, deadlock)? It has left nothing behind. */
export function isTransactionConflict(error: unknown): boolean {
  return types.isNativeError(error) && RETRYABLE_STATES.has(sqlState(error) ?? '');
}

/** Has PostgreSQL answered that it won't, so that nothing was committed? A lost connection or a cancelled COMMIT tells nothing. */
export function isRolledBack(error: unknown): boolean {
  const state = types.isNativeError(error) ? sqlState(error) : undefined;
  return state !== undefined && !UNAVAILABLE_STATES.test(state) && !TIMEOUT_STATES.has(state);
}

/** Which constraint a write ran into, and what to tell the caller. */
export interface ConflictRule {
  code: string;
  pointer: string;
  message: string;
}

/**
 * A unique violation as a conflict, whether Prisma tells of it (P2002) or PostgreSQL; any other error as it is. Uniqueness is the database's word: write, then ask.
 * @param rules by the name of the violated index
 */
export function asConflict(error: unknown, rules: Record<string, ConflictRule>): unknown {
  const rule = rules[violatedIndex(error) ?? ''];
  if (!rule) return error;
  return new ConflictError(rule.code, rule.message, [rule], { cause: error });
}

interface DriverAdapterMeta {
  driverAdapterError?: { cause?: { kind?: string; originalCode?: string; constraint?: { index?: string } } };
}

function violatedIndex(error: unknown): string | undefined {
  if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002')
    return (error.meta as DriverAdapterMeta | undefined)?.driverAdapterError?.cause?.constraint?.index;
  const { code, severity, constraint } = (error ?? {}) as { code?: string; severity?: string; constraint?: string };
  return severity && code === UNIQUE_VIOLATION ? constraint : undefined;
}

function driverKind(error: Error): string | undefined {
  // A COMMIT that fails reaches us as the adapter's own error, all else inside of Prisma's.
  const { meta, cause } = error as { meta?: DriverAdapterMeta; cause?: { kind?: string } };
  return meta?.driverAdapterError?.cause?.kind ?? cause?.kind;
}

/**
 * Is it the prepared statement that is at fault, and not what it asks? A table has changed under it, or a pooler gave another
 * connection of the server. Nothing of it was done; without a name it works.
 */
export function isUnknownStatement(error: unknown): boolean {
  if (!types.isNativeError(error)) return false;
  const state = sqlState(error);
  return (
    state === '26000' || state === '42P05' || (state === '0A000' && /cached plan must not change/.test(error.message))
  );
}

/** What PostgreSQL said, whoever passes it on: pg, Prisma or its adapter. */
export function sqlState(error: Error): string | undefined {
  const { code, meta, severity, cause } = error as {
    code?: unknown;
    cause?: { originalCode?: string };
    meta?: DriverAdapterMeta & { code?: string };
    severity?: unknown;
  };
  if (severity && typeof code === 'string') return code; // pg's own DatabaseError
  return meta?.driverAdapterError?.cause?.originalCode ?? cause?.originalCode ?? meta?.code;
}
