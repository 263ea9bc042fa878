import type { Prisma } from '@prisma/client';
import { accompanyingCheck } from './abandonment';
import type { BoundedPool } from './bounded-pool';
import { within } from './database-scope';
import { keyedRequest } from './keyed-request';
import { timedOperation } from './operation-timing';
import { TYPES } from './reader';
import { FailedAttempt, repeatedly } from './transaction';

/** One reviewed statement of a write; a repository makes it, of values that the caller has checked. */
export type WriteStatement = Pick<Prisma.Sql, 'text' | 'values'>;

/** A row of what a statement returned. */
export type WrittenRow = Record<string, unknown>;

/**
 * Runs statements in one round trip, all or none. They are repeated as a transaction is, and once when their connection died,
 * provided that it certainly left nothing behind: nothing was sent, or PostgreSQL said itself that it ends the session before
 * it had run all of them. There is no moment before COMMIT to know more.
 * @param tenantId undefined: above tenants
 * @returns for each statement the rows that it returned
 * @throws Error pg's own, of the first statement that failed
 * @throws UnavailableError when the database can't serve it in time
 */
export async function writeAtomically(
  pool: BoundedPool,
  tenantId: string | undefined,
  statements: readonly WriteStatement[],
): Promise<WrittenRow[][]> {
  await accompanyingCheck()?.settleNow();
  const keyed = keyedRequest();
  const batch = statements.map(({ text, values }) => ({ text, values, types: TYPES }));
  return repeatedly(tenantId, async (scope) => {
    try {
      const results = await within(scope, () => timedOperation(pool.name, '$write', () => pool.batch(batch)));
      if (keyed) keyed.mayHaveWritten = true;
      return results.map(({ rows }) => rows as WrittenRow[]);
    } catch (error) {
      const isUndone = !scope.wasSent || (isSaidByServer(error) && !scope.hasAnswer);
      if (keyed && !isUndone) keyed.mayHaveWritten = true;
      throw new FailedAttempt(error, isUndone);
    }
  });
}

/**
 * PostgreSQL's own words have a severity; that of a connection that just ended has none. A pooler's have one, too, and the state
 * of a fault of the connection: it gives the statement up, and the server behind it goes on (PgBouncer's query_timeout, KILL).
 */
function isSaidByServer(error: unknown): boolean {
  const { severity, code } = (error ?? {}) as { severity?: unknown; code?: unknown };
  return severity !== undefined && !String(code).startsWith('08');
}
