import { AsyncLocalStorage } from 'node:async_hooks';

/** A request with an `Idempotency-Key`: what is known of its writes. */
export interface KeyedRequest {
  /** True once a transaction of it has committed, or may have: its COMMIT was not answered. */
  mayHaveWritten: boolean;
}

const scope = new AsyncLocalStorage<KeyedRequest>();

/**
 * Runs `work` for a request that its caller may safely repeat. Its transactions may then be repeated here as well, where
 * they have certainly left nothing behind, and `request` learns whether anything may have been written.
 */
export function whileKeyed<Result>(request: KeyedRequest, work: () => Result): Result {
  return scope.run(request, work);
}

/** The request for which this code runs; undefined when it has no key. */
export function keyedRequest(): KeyedRequest | undefined {
  return scope.getStore();
}
