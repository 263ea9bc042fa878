import type pg from 'pg';

/** How a transaction ends: what may still be said for a caller who has gone. */
const TRANSACTION_END = /^\s*(COMMIT|ROLLBACK)\b/i;

type AnyFunction = (...args: unknown[]) => unknown;

/** What the pool tells a connection of its own. */
export interface AbandonableConnection {
  /** Why nothing more begins on it: its caller has gone. Undefined while somebody waits for the answers. */
  abandoned: Error | undefined;
}

/**
 * A connection on which nothing more begins, but the end of the transaction, for a caller who has gone. To cancel the
 * statement under way is not enough: his caller may go between two of them, and a pooler drops the request to cancel one
 * that still waits for a connection of the server.
 */
export function abandonableClient(Client: typeof pg.Client): typeof pg.Client {
  return class AbandonableClient extends Client implements AbandonableConnection {
    abandoned: Error | undefined;

    // pg takes promises, callbacks and submittable objects; all pass through here unchanged.
    override query(...args: unknown[]): never {
      if (this.abandoned && !TRANSACTION_END.test(textOf(args[0]))) {
        const callback = args.at(-1);
        if (typeof callback !== 'function') return Promise.reject(this.abandoned) as never;
        process.nextTick(callback, this.abandoned);
        return undefined as never;
      }
      // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
      return Reflect.apply(super.query as AnyFunction, this, args) as never;
    }
  };
}

/** pg takes a statement as it is, or as the `text` of an object. */
function textOf(statement: unknown): string {
  return typeof statement === 'string' ? statement : ((statement as { text?: string } | undefined)?.text ?? '');
}
