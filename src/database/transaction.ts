import { setTimeout as sleep } from 'node:timers/promises';
import type { Prisma } from '@prisma/client';
import { accompanyingCheck } from './abandonment';
import {
  asDomainError,
  isConnectionLost,
  isReadOnlyServer,
  isRolledBack,
  isTransactionConflict,
  isUnknownStatement,
} from './database-errors';
import { type DatabaseScope, newScope, within } from './database-scope';
import { keyedRequest } from './keyed-request';
import type { TenantryClient, TenantryTransaction } from './prisma-client';

/** How often a transaction that lost against another is tried again, and the longest wait before it (with jitter). */
const MAX_CONFLICT_RETRIES = 3;
const MAX_BACKOFF_MS = 50;

export interface TransactionOptions {
  /**
   * READ COMMITTED unless said otherwise. A rule that spans several rows takes a lock instead (the last owner), so that it
   * holds at any level; docs/operations.md lists what uses which.
   */
  isolationLevel?: Prisma.TransactionIsolationLevel;
}

/** What our transactions have beyond Prisma's. */
export interface Deferring {
  /** A statement on whose answer nothing depends, such as an audit event: it goes with COMMIT, in the same round trip. */
  $atEnd(statement: Prisma.Sql): void;
}

/** A transaction as the doors run it. */
interface Job<Result> {
  client: TenantryClient;
  /** Undefined: above tenants. */
  tenantId?: string | undefined;
  /** Reads only: may be repeated on a connection that died under it. */
  readOnly: boolean;
  work: (tx: TenantryTransaction & Deferring) => Promise<Result>;
  options?: TransactionOptions | undefined;
}

/**
 * Runs a transaction, and runs it again where that can do no harm: when it lost against another one (bounded, with jitter),
 * once when its server took no writes any more, and once when its connection died, provided that it only reads, or that none of
 * its statements was answered, or that its request has an Idempotency-Key and COMMIT was not sent yet.
 * @throws UnavailableError when the database can't serve it in time
 */
export async function transact<Result>({ client, tenantId, readOnly, work, options }: Job<Result>): Promise<Result> {
  if (!readOnly) await accompanyingCheck()?.settleNow();
  const keyed = readOnly ? undefined : keyedRequest();
  const attempt = async (scope: DatabaseScope): Promise<Result> => {
    let committing = false;
    try {
      const result = await within(scope, () =>
        client.$transaction(async (tx) => {
          const done = await work(deferring(tx, scope));
          committing = true;
          return done;
        }, options),
      );
      if (keyed) keyed.mayHaveWritten = true;
      return result;
    } catch (error) {
      if (keyed && committing && !isRolledBack(error)) keyed.mayHaveWritten = true;
      const isHarmless = readOnly || (!committing && (!scope.hasAnswer || keyed !== undefined));
      throw new FailedAttempt(error, isHarmless);
    }
  };
  return repeatedly(tenantId, attempt);
}

function deferring(tx: TenantryTransaction, { atEnd }: DatabaseScope): TenantryTransaction & Deferring {
  const $atEnd = ({ text, values }: Prisma.Sql): void => void atEnd.push({ text, values });
  return Object.create(tx, { $atEnd: { value: $atEnd } }) as TenantryTransaction & Deferring;
}

/** A failure, and whether to do the same again on another connection would be harmless. */
export class FailedAttempt extends Error {
  constructor(
    override readonly cause: unknown,
    readonly isHarmless: boolean,
  ) {
    super('The attempt failed.');
  }
}

/** The same for work that only reads, and of which each statement may be a transaction of its own, as at READ COMMITTED. */
export function repeatedRead<Result>(
  tenantId: string | undefined,
  work: (scope: DatabaseScope) => Promise<Result>,
): Promise<Result> {
  const check = accompanyingCheck();
  return repeatedly(tenantId, async (scope) => {
    if (check?.isOpen && check.tenantId === tenantId) scope.check = check;
    try {
      return await work(scope);
    } catch (error) {
      throw new FailedAttempt(error, true);
    }
  });
}

/**
 * Attempts something until it works or may not be repeated any more.
 * @param attempt fails with a FailedAttempt
 */
export async function repeatedly<Result>(
  tenantId: string | undefined,
  attempt: (scope: DatabaseScope) => Promise<Result>,
): Promise<Result> {
  let isUnnamed = false;
  for (let count = 1; ; count += 1) {
    try {
      return await attempt(newScope(tenantId, isUnnamed));
    } catch (failure) {
      const { cause: error, isHarmless } = failure as FailedAttempt;
      isUnnamed ||= isUnknownStatement(error);
      const again =
        (isTransactionConflict(error) && count <= MAX_CONFLICT_RETRIES) ||
        (isConnectionLost(error) && count === 1 && isHarmless) ||
        ((isReadOnlyServer(error) || isUnknownStatement(error)) && count === 1);
      if (!again) throw asDomainError(error);
      await sleep(Math.random() * MAX_BACKOFF_MS);
    }
  }
}
