import { AsyncLocalStorage } from 'node:async_hooks';
import type { AccompanyingCheck } from './accompanying-check';
import type { BatchStatement } from './statement-batch';

/** For whom the statements of one piece of work run. Only the doors (TenantDb, PlatformDb) make one. */
export interface DatabaseScope {
  /** undefined: above tenants. A UUID, checked by the door: it becomes part of a statement. */
  readonly tenantId: string | undefined;
  /** Has anything of it gone to the server? */
  wasSent: boolean;
  /** Has the server answered a statement of the transaction, of a batch all of them? Before that, a lost connection has lost nothing. */
  hasAnswer: boolean;
  /** Statements are sent without names: those of the connections have turned out to be of no use. */
  isUnnamed: boolean;
  /** Goes along with the first statement outside of a transaction. */
  check?: AccompanyingCheck | undefined;
  /** What a transaction still has to do, on whose answers nothing depends: it goes with COMMIT. */
  readonly atEnd: BatchStatement[];
}

const storage = new AsyncLocalStorage<DatabaseScope>();

export function newScope(tenantId?: string, isUnnamed = false): DatabaseScope {
  return { tenantId, wasSent: false, hasAnswer: false, isUnnamed, check: undefined, atEnd: [] };
}

/**
 * Runs `work` so that its statements are of `scope`. What it gives is awaited inside: a promise of Prisma's begins when it is
 * awaited, and would otherwise run in the scope of whoever awaits it.
 */
export function within<Result>(scope: DatabaseScope, work: () => PromiseLike<Result>): Promise<Result> {
  return storage.run(scope, async () => await work());
}

/** The scope in which this code runs. To be asked when a statement is given, never in a callback of the pool. */
export function databaseScope(): DatabaseScope | undefined {
  return storage.getStore();
}
