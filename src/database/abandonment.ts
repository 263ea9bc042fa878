import { AsyncLocalStorage } from 'node:async_hooks';

/** The request for which code runs. */
interface Scope {
  signal: AbortSignal;
  requestId: string | undefined;
}

const scope = new AsyncLocalStorage<Scope>();

/**
 * Runs `work` for a caller who may go away: when `signal` fires, the statement that runs for him is cancelled and no
 * further one begins.
 */
export function whileWanted<Result>(signal: AbortSignal, work: () => Result, requestId?: string): Result {
  return scope.run({ signal, requestId }, work);
}

/** Fires when the caller for whom this code runs has gone; undefined outside a request. */
export function abandonment(): AbortSignal | undefined {
  return scope.getStore()?.signal;
}

/** Of the request for which this code runs; undefined outside of one. */
export function currentRequestId(): string | undefined {
  return scope.getStore()?.requestId;
}
