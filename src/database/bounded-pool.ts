import type { Socket } from 'node:net';
import pg from 'pg';
import { UnavailableError } from '../common/errors';
import { type Answer, OutdatedError } from './accompanying-check';
import { type AbandonableConnection, abandonableClient } from './abandonable-client';
import { abandonment, type Presence } from './abandonment';
import { batchingClient, type Batching, type BatchingConnection } from './batching-client';
import { isConnectionLost, isUnknownStatement } from './database-errors';
import { connectionUsed, connectionWaited, statementFailed } from './database-events';
import { type DatabaseScope, databaseScope } from './database-scope';
import type { HostSelector } from './host-selector';
import { type MeasuredConnection, measuredClient } from './measured-client';
import type { AnyPoolName } from './pool-name';
import type { BatchStatement } from './statement-batch';

type AnyFunction = (...args: unknown[]) => unknown;
type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** What pg has and its types do not tell. */
interface RunningClient extends MeasuredConnection, AbandonableConnection, BatchingConnection {
  readonly connection: { readonly ssl: pg.ClientConfig['ssl']; readonly sslNegotiation: 'postgres' | 'direct' };
  readonly host: string;
  readonly port: number;
  readonly processID: number;
  readonly secretKey: number;
  _getActiveQuery(): unknown;
}
interface CancelConnection {
  /** Once encrypted, that of the encryption. */
  readonly stream: Socket;
  requestSsl(): void;
  connect(portOrSocket: number | string, host?: string): void;
  cancel(processId: number, secretKey: number): void;
}

/**
 * A pool in which nobody waits for ever: callers queue up to a bound, beyond it they are told to come back; whose caller has
 * gone, his statement is cancelled. It keeps a connection through SQL errors and drops it on faults of the connection only.
 *
 * What is asked of it is of the tenant in whose scope it is asked (database-scope.ts), for that one statement or transaction:
 * docs/tenancy.md says how the two travel together.
 */
export class BoundedPool extends pg.Pool {
  /** How many callers wait until it is known where to connect. */
  private searching = 0;

  /** Until tenant-canary.ts has tried more: what works with everything. */
  readonly batching: Batching;

  constructor(
    readonly name: AnyPoolName,
    private readonly hosts: HostSelector,
    private readonly settings: pg.PoolConfig & { maxWaiting: number },
  ) {
    const batching: Batching = { areBatched: false, areNamed: false };
    super({ ...settings, Client: batchingClient(abandonableClient(measuredClient(name, hosts)), batching) });
    this.batching = batching;
    // An assignment, since its many forms cannot be overridden in a type that says what they give.
    this.query = ((...args: unknown[]) => this.ask(args)) as typeof this.query;
  }

  /** A promise, but for callers who give a callback. A text without a tenant goes pg's way: it may hold several statements. */
  private ask(args: unknown[]): unknown {
    const scope = databaseScope();
    const [given, values] = args;
    const isText = typeof given === 'string';
    if (typeof args.at(-1) === 'function' || (isText && scope?.tenantId === undefined)) {
      // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
      return Reflect.apply(super.query as AnyFunction, this, args);
    }
    const statement = isText ? { text: given, values: values as unknown[] | undefined } : (given as BatchStatement);
    return this.runBatch([statement], scope).then(([result]) => result);
  }

  /**
   * Several statements in one round trip, all or none.
   * @param scope of whose tenant they are; unless given, that in which this is called
   * @returns what each gave
   * @throws Error pg's own, of the first statement that failed
   */
  batch(statements: readonly BatchStatement[], scope = databaseScope()): Promise<pg.QueryResult[]> {
    return this.runBatch(statements, scope);
  }

  private async runBatch(
    statements: readonly BatchStatement[],
    scope: DatabaseScope | undefined,
  ): Promise<pg.QueryResult[]> {
    const client = await this.lease();
    const check = scope?.check?.isOpen ? scope.check : undefined;
    let fault: Error | undefined;
    try {
      const all = check ? [check.statement, ...statements] : statements;
      const results = await (client as unknown as RunningClient).sendBatch(all, scope);
      if (!check) return results;
      const [answer, ...others] = results;
      check.settle(answer!.rows[0] as Answer);
      return others;
    } catch (error) {
      if (!(error instanceof OutdatedError)) fault = error as Error;
      throw error;
    } finally {
      client.release(fault);
    }
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const scope = databaseScope();
    const lease = this.lease().then((client) => {
      (client as unknown as RunningClient).lease(scope);
      return client;
    });
    if (!callback) return lease;
    void lease.then(
      (client) => callback(undefined, client, (error) => client.release(error)),
      (error: Error) => callback(error, undefined, () => undefined),
    );
  }

  /** How many callers wait: for a connection, or until it is known where to connect. */
  get pendingCount(): number {
    return this.waitingCount + this.searching;
  }

  /** Is every connection in use, and do as many callers wait as may? */
  get isFull(): boolean {
    const isExhausted = this.idleCount === 0 && this.totalCount >= this.options.max;
    const { maxWaiting } = this.settings;
    return (isExhausted && this.waitingCount >= maxWaiting) || this.searching >= maxWaiting;
  }

  private lease(): Promise<pg.PoolClient> {
    return new Promise((resolve, reject) => {
      const signal = abandonment();
      signal?.throwIfAborted();
      const start = performance.now();
      const tell = (outcome: 'ok' | 'timeout' | 'shed' | 'failed'): void =>
        connectionWaited.publish({ pool: this.name, seconds: (performance.now() - start) / 1000, outcome });
      if (this.isFull) {
        tell('shed');
        throw new UnavailableError('too_busy', 'Too many requests wait for the database. Try again.');
      }
      this.connectToCurrent((error, client) => {
        if (client) {
          tell('ok');
          this.follow(client, signal);
          return resolve(client);
        }
        const { message, code, severity } = error as { message: string; code?: string; severity?: string };
        tell(message.includes('timeout') ? 'timeout' : 'failed');
        if (!message.includes('timeout'))
          statementFailed.publish({ pool: this.name, sqlState: severity ? code : undefined });
        reject(error!);
      });
    });
  }

  /** A connection to where connections go now; those to where they went before are dropped. */
  private connectToCurrent(done: (error: Error | undefined, client?: pg.PoolClient) => void): void {
    if (this.hosts.isInDoubt) {
      this.searching += 1;
      const found = this.hosts.find().finally(() => (this.searching -= 1));
      found.then(() => this.connectToCurrent(done), done);
      return;
    }
    super.connect((error, client) => {
      if (!client || !this.hosts.isSuperseded((client as unknown as RunningClient).address)) return done(error, client);
      client.release(true);
      this.connectToCurrent(done);
    });
  }

  /** Watches a connection until it comes back. */
  private follow(client: pg.PoolClient, signal: Presence | undefined): void {
    const start = performance.now();
    const release = client.release.bind(client);
    const running = client as unknown as RunningClient;
    const onAbort = (): void => {
      running.abandoned = signal?.reason as Error;
      this.cancel(client);
    };
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort);
    client.release = (error) => {
      signal?.removeEventListener('abort', onAbort);
      running.abandoned = undefined;
      running.lease(undefined);
      connectionUsed.publish({ pool: this.name, seconds: (performance.now() - start) / 1000 });
      // pg-pool drops the connection with any error; one that PostgreSQL answered with has left it sound, unless it is the
      // last word of the server (57P01): the socket's end comes after it.
      const isSound =
        error instanceof Error && 'severity' in error && !isUnknownStatement(error) && !isConnectionLost(error);
      const { isReadOnly, isInTransaction, address } = running;
      const isUnfit = isReadOnly || isInTransaction || this.hosts.isSuperseded(address);
      release(isUnfit || (isSound ? undefined : error));
    };
  }

  /**
   * Asks the server to stop what runs on this connection, over one of its own, which needs no login (PostgreSQL manual,
   * 54.2.9). If that fails, statement_timeout ends the statement.
   */
  private cancel(client: pg.PoolClient): void {
    const running = client as unknown as RunningClient;
    if (!running._getActiveQuery()) return;
    // The connection's own word, not the client's: one that prefers TLS may have been made in plain text.
    const { ssl, sslNegotiation } = running.connection;
    const connection = new pg.Connection({ ssl, sslNegotiation } as ConstructorParameters<typeof pg.Connection>[0]);
    const canceller = connection as unknown as CancelConnection;
    const drop = (): void => void canceller.stream.destroy();
    connection.on('error', drop);
    canceller.stream.setTimeout(this.settings.connectionTimeoutMillis ?? 0, drop);
    const send = (): void => canceller.cancel(running.processID, running.secretKey);
    connection.once('connect', () => {
      if (!ssl) send();
      else if (sslNegotiation !== 'direct') canceller.requestSsl();
    });
    connection.once('sslconnect', send);
    if (running.host.startsWith('/')) canceller.connect(`${running.host}/.s.PGSQL.${running.port}`);
    else canceller.connect(running.port, running.host);
  }
}
