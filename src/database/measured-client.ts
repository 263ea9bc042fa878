import { AsyncResource } from 'node:async_hooks';
import type pg from 'pg';
import type { AbandonableConnection } from './abandonable-client';
import { type ChosenHostConnection, chosenHostClient } from './chosen-host-client';
import { isConnectionLost } from './database-errors';
import { connectionCreated, statementDone, statementFailed } from './database-events';
import type { HostSelector } from './host-selector';
import type { AnyPoolName } from './pool-name';

/** pg's words when the client's own bound (`query_timeout`) is over: the server, or the way to it, is silent. */
const CLIENT_TIMEOUT = 'Query read timeout';

/** query_canceled: by statement_timeout, or because somebody asked. */
const QUERY_CANCELED = '57014';

/** read_only_sql_transaction: a write has met a server that is, or has become, a standby. */
const READ_ONLY_SERVER = '25006';

type AnyFunction = (...args: unknown[]) => unknown;
type Callback = (error: Error | null, result?: unknown) => void;

/** What pg.Client has and its types do not tell. */
interface Internals {
  connection: { stream: { destroy(): void } };
}

/** What the pool asks a connection of its own. */
export interface MeasuredConnection extends ChosenHostConnection {
  /** The server behind it takes no writes any more: it has become a standby. */
  readonly isReadOnly: boolean;
}

/** A connection that tells how long it took to make and how its statements failed, and gives up on a silent server. */
export function measuredClient(pool: AnyPoolName, hosts: HostSelector): typeof pg.Client {
  return class MeasuredClient extends chosenHostClient(hosts) implements MeasuredConnection {
    isReadOnly = false;
    private isLost = false;
    /** Why the server has closed this connection, when it said so between two statements. */
    private lastWords: { code?: string; severity?: string } | undefined;

    override connect(...args: unknown[]): never {
      const start = performance.now();
      const done = (): void => connectionCreated.publish({ pool, seconds: (performance.now() - start) / 1000 });
      this.once('connect', done);
      this.once('error', ({ code, severity }: Error & { code?: string; severity?: string }) => {
        if (severity) this.lastWords = { code: code!, severity };
      });
      // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
      return Reflect.apply(super.connect as AnyFunction, this, args) as never;
    }

    // pg takes promises, callbacks and submittable objects; all pass through here unchanged.
    override query(...args: unknown[]): never {
      const last = args.at(-1);
      const tell = timed(pool, args[0]);
      const done = (error: unknown): void => {
        if (error) this.noteFailure(error);
        tell?.(error);
      };
      if (typeof last === 'function') {
        // pg calls back in the context of whoever opened the connection; what is told here is of who asks now.
        // AsyncResource.bind() would be 25 times slower.
        const caller = new AsyncResource('Statement');
        args[args.length - 1] = ((error, result) => {
          caller.runInAsyncScope(done, undefined, error);
          (last as Callback)(error, result);
        }) satisfies Callback;
      }
      // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
      const result: unknown = Reflect.apply(super.query as AnyFunction, this, args);
      if (result instanceof Promise) result.then(() => done(undefined), done);
      return result as never;
    }

    private noteFailure(error: unknown): void {
      // pg says only that the connection is broken; PostgreSQL's reason tells a timeout from a restart.
      if (this.lastWords && !(error as { severity?: string }).severity) Object.assign(error as Error, this.lastWords);
      const { code, severity, message } = error as { code?: string; severity?: string; message?: string };
      const isCancelledForNobody = code === QUERY_CANCELED && (this as Partial<AbandonableConnection>).abandoned;
      if (!this.isLost && !isCancelledForNobody)
        statementFailed.publish({ pool, sqlState: severity ? code : undefined });
      // What is tried on a lost connection, such as to roll back, fails for that reason: it is counted once.
      this.isLost ||= message === CLIENT_TIMEOUT || (isConnectionLost(error) && !code?.startsWith('53'));
      if (code === READ_ONLY_SERVER) {
        this.isReadOnly = true;
        hosts.doubt(this.address);
      }
      // Whatever is asked next on this connection would wait behind the unanswered statement.
      if (message === CLIENT_TIMEOUT) (this as unknown as Internals).connection.stream.destroy();
    }
  } as unknown as typeof pg.Client;
}

/** Begins to measure a statement. @returns what tells of its end; undefined when nobody listens */
function timed(pool: AnyPoolName, statement: unknown): ((error: unknown) => void) | undefined {
  if (!statementDone.hasListeners) return undefined;
  const start = performance.now();
  const sql = textOf(statement);
  return (error) => {
    const { code, severity } = (error ?? {}) as { code?: string; severity?: string };
    const sqlState = error ? ((severity && code) ?? 'error') : '';
    statementDone.publish({ pool, sql, seconds: (performance.now() - start) / 1000, sqlState });
  };
}

/** pg takes a statement as it is, or as the `text` of an object. */
function textOf(statement: unknown): string {
  return typeof statement === 'string' ? statement : ((statement as { text?: string } | undefined)?.text ?? '');
}
