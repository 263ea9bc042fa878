import { AsyncLocalStorage } from 'node:async_hooks';

const scope = new AsyncLocalStorage<AbortSignal>();

/**
 * Runs `work` for a caller who may go away: when `signal` fires, the statement that runs for him is cancelled and no
 * further one begins.
 */
export function whileWanted<Result>(signal: AbortSignal, work: () => Result): Result {
  return scope.run(signal, work);
}

/** Fires when the caller for whom this code runs has gone; undefined outside a request. */
export function abandonment(): AbortSignal | undefined {
  return scope.getStore();
}
