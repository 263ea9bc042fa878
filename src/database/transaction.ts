import { setTimeout as sleep } from 'node:timers/promises';
import { Prisma } from '@prisma/client';
import { asDomainError, isConnectionLost, isReadOnlyServer, isTransactionConflict } from './database-errors';
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

/** A transaction as the doors run it. */
interface Job<Result> {
  client: TenantryClient;
  /** The first statement; what it sets ends with the transaction. */
  setUp?: string;
  /** Reads only: may be repeated on a connection that died under it. */
  readOnly: boolean;
  work: (tx: TenantryTransaction) => Promise<Result>;
  options?: TransactionOptions | undefined;
}

/**
 * Runs a transaction, and runs it again where that can do no harm: when it lost against another one (bounded, with jitter),
 * once when its server took no writes any more, and once when its connection died, provided that it only reads, or that its
 * work had not begun, or that its request has an Idempotency-Key and COMMIT was not sent yet.
 * @throws UnavailableError when the database can't serve it in time
 */
export async function transact<Result>({ client, setUp, readOnly, work, options }: Job<Result>): Promise<Result> {
  const keyed = readOnly ? undefined : keyedRequest();
  for (let attempt = 1; ; attempt += 1) {
    let [begun, committing] = [false, false];
    try {
      const result = await client.$transaction(async (tx) => {
        if (setUp) await tx.$executeRawUnsafe(setUp);
        begun = true;
        const done = await work(tx);
        committing = true;
        return done;
      }, options);
      if (keyed) keyed.mayHaveWritten = true;
      return result;
    } catch (error) {
      const isConflict = isTransactionConflict(error);
      const isHarmless = readOnly || !begun || (keyed !== undefined && !committing);
      const again =
        (isConflict && attempt <= MAX_CONFLICT_RETRIES) ||
        (isConnectionLost(error) && attempt === 1 && isHarmless) ||
        (isReadOnlyServer(error) && attempt === 1);
      if (keyed && committing && !isConflict) keyed.mayHaveWritten = true;
      if (!again) throw asDomainError(error);
      await sleep(Math.random() * MAX_BACKOFF_MS);
    }
  }
}
