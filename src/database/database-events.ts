import { announcement } from '../common/announcement';
import type { AnyPoolName } from './pool-name';

/** What the pools tell; durations in seconds, as Prometheus has them. */
export interface ConnectionCreated {
  pool: AnyPoolName;
  seconds: number;
}

/** A caller got a connection, or did not: in time, or because too many waited already. */
export interface ConnectionWaited {
  pool: AnyPoolName;
  seconds: number;
  outcome: 'ok' | 'timeout' | 'shed' | 'failed';
}

export interface ConnectionUsed {
  pool: AnyPoolName;
  seconds: number;
}

/** A statement failed, or the connection for it. `sqlState` is PostgreSQL's, or undefined when it has said nothing. */
export interface StatementFailed {
  pool: AnyPoolName;
  sqlState: string | undefined;
}

/** The server has answered a statement, or nobody waits for it any more. */
export interface StatementDone {
  pool: AnyPoolName;
  /** As it was sent: with `$1` for parameters, but what stands in the text itself may be anybody's (statement-text.ts). */
  sql: string;
  seconds: number;
  /** Empty when it went well; otherwise PostgreSQL's SQLSTATE, or `error` when it has said nothing. */
  sqlState: string;
}

/** One operation of Prisma's, with the model it was about (undefined: raw SQL). */
export interface OperationDone {
  pool: AnyPoolName;
  operation: string;
  model: string | undefined;
  seconds: number;
  /** Empty when it went well; otherwise PostgreSQL's SQLSTATE, Prisma's own code, or `error`. */
  statusCode: string;
}

export const connectionCreated = announcement<ConnectionCreated>('tenantry:database.connection-created');
export const connectionWaited = announcement<ConnectionWaited>('tenantry:database.connection-waited');
export const connectionUsed = announcement<ConnectionUsed>('tenantry:database.connection-used');
export const statementFailed = announcement<StatementFailed>('tenantry:database.statement-failed');
export const statementDone = announcement<StatementDone>('tenantry:database.statement-done');
export const operationDone = announcement<OperationDone>('tenantry:database.operation-done');
