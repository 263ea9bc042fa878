import { AsyncLocalStorage } from 'node:async_hooks';
import type { AccompanyingCheck } from './accompanying-check';

/** The request for which code runs. */
interface Scope {
  /** undefined: its work is done whether or not the caller waits. */
  signal: AbortSignal | undefined;
  requestId: string | undefined;
  /** What must be true still before the request is answered. */
  check?: AccompanyingCheck | undefined;
}

const scope = new AsyncLocalStorage<Scope>();

/**
 * Runs `work` for a caller who may go away: when `signal` fires, the statement that runs for him is cancelled and no
 * further one begins.
 */
export function whileWanted<Result>(signal: AbortSignal, work: () => Result, requestId?: string): Result {
  return scope.run({ signal, requestId }, work);
}

/**
 * Runs `work` even when the caller for whom this code runs has gone, or goes: others wait for it as well, or it must be done in
 * any case, as the record of a refusal.
 */
export function regardless<Result>(work: () => Result): Result {
  return scope.run({ signal: undefined, requestId: currentRequestId() }, work);
}

/** Fires when the caller for whom this code runs has gone; undefined outside a request, and where nobody's going matters. */
export function abandonment(): AbortSignal | undefined {
  return scope.getStore()?.signal;
}

/** Of the request for which this code runs; undefined outside of one. */
export function currentRequestId(): string | undefined {
  return scope.getStore()?.requestId;
}

/**
 * Has the request for which this code runs answered only once `check` has passed; undefined: there is nothing to check any more.
 * @returns false outside of a request
 */
export function accompany(check: AccompanyingCheck | undefined): boolean {
  const current = scope.getStore();
  if (!current?.signal) return false;
  current.check = check;
  return true;
}

/** Of the request for which this code runs; undefined where nothing is to be checked. */
export function accompanyingCheck(): AccompanyingCheck | undefined {
  return scope.getStore()?.check;
}
