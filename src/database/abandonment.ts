import { AsyncLocalStorage } from 'node:async_hooks';
import type { AccompanyingCheck } from './accompanying-check';

/** What of an AbortSignal the database asks of a caller's presence. */
export interface Presence extends Pick<AbortSignal, 'aborted' | 'reason' | 'throwIfAborted'> {
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The presence of a request's caller: an AbortSignal costs ten times as much, for each request and each statement. */
export class CallersPresence implements Presence {
  private readonly listeners = new Set<() => void>();
  reason: DOMException | undefined;

  get aborted(): boolean {
    return this.reason !== undefined;
  }

  /** The caller has gone. */
  end(): void {
    this.reason = new DOMException('This operation was aborted', 'AbortError');
    for (const listener of this.listeners) listener();
    this.listeners.clear();
  }

  throwIfAborted(): void {
    if (this.reason) throw this.reason;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }
}

/** The request for which code runs. */
interface Scope {
  /** undefined: its work is done whether or not the caller waits. */
  signal: Presence | undefined;
  requestId: string | undefined;
  /** What must be true still before the request is answered. */
  check?: AccompanyingCheck | undefined;
}

const scope = new AsyncLocalStorage<Scope>();

/**
 * Runs `work` for a caller who may go away: when `signal` (any AbortSignal will do) fires, the statement that runs for him is cancelled and no
 * further one begins.
 */
export function whileWanted<Result>(signal: Presence, work: () => Result, requestId?: string): Result {
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
export function abandonment(): Presence | undefined {
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
