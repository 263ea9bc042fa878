import { types } from 'node:util';
import { Prisma } from '@prisma/client';
import { sqlState } from './database-errors';
import { operationDone } from './database-events';
import type { AnyPoolName } from './pool-name';

/** What Prisma gives to an extension of every operation. */
interface Operation {
  /** undefined for raw SQL */
  model?: string | undefined;
  /** `findMany`, `$queryRaw`, … */
  operation: string;
  args: unknown;
  query: (args: unknown) => Promise<unknown>;
}

/**
 * A Prisma extension that tells of each operation how long it took, inside a transaction too. While nobody listens it adds
 * a function call (0.3 µs), with the histogram of the metrics 1.6 µs.
 */
export function timedOperations(pool: AnyPoolName) {
  return Prisma.defineExtension({
    name: 'timed-operations',
    query: {
      $allOperations: ({ model, operation, args, query }: Operation) =>
        timedOperation(pool, operation, () => query(args), model),
    },
  });
}

/** Does one operation, and tells of it. */
export function timedOperation<Result>(
  pool: AnyPoolName,
  operation: string,
  work: () => Promise<Result>,
  model?: string,
): Promise<Result> {
  if (!operationDone.hasListeners) return work();
  const start = performance.now();
  const tell = (statusCode: string): void =>
    operationDone.publish({ pool, operation, model, seconds: (performance.now() - start) / 1000, statusCode });
  return work().then(
    (result) => {
      tell('');
      return result;
    },
    (error: unknown) => {
      tell(statusOf(error));
      throw error;
    },
  );
}

/** SQLSTATE; where the server has said nothing, Prisma's own code (P2025: not found). */
function statusOf(error: unknown): string {
  if (!types.isNativeError(error)) return 'error';
  return sqlState(error) ?? (error instanceof Prisma.PrismaClientKnownRequestError ? error.code : 'error');
}
