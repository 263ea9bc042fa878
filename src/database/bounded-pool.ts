import type { Socket } from 'node:net';
import pg from 'pg';
import { UnavailableError } from '../common/errors';
import { type AbandonableConnection, abandonableClient } from './abandonable-client';
import { abandonment } from './abandonment';
import { connectionUsed, connectionWaited, statementFailed } from './database-events';
import type { HostSelector } from './host-selector';
import { type MeasuredConnection, measuredClient } from './measured-client';
import type { AnyPoolName } from './pool-name';

type ConnectCallback = (
  error: Error | undefined,
  client: pg.PoolClient | undefined,
  release: (error?: Error | boolean) => void,
) => void;

/** What pg has and its types do not tell. */
interface RunningClient extends MeasuredConnection, AbandonableConnection {
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
 */
export class BoundedPool extends pg.Pool {
  /** How many callers wait until it is known where to connect. */
  private searching = 0;

  constructor(
    readonly name: AnyPoolName,
    private readonly hosts: HostSelector,
    private readonly settings: pg.PoolConfig & { maxWaiting: number },
  ) {
    super({ ...settings, Client: abandonableClient(measuredClient(name, hosts)) });
  }

  override connect(): Promise<pg.PoolClient>;
  override connect(callback: ConnectCallback): void;
  override connect(callback?: ConnectCallback): Promise<pg.PoolClient> | void {
    const lease = this.lease();
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

  private async lease(): Promise<pg.PoolClient> {
    const signal = abandonment();
    signal?.throwIfAborted();
    const start = performance.now();
    const tell = (outcome: 'ok' | 'timeout' | 'shed' | 'failed'): void =>
      connectionWaited.publish({ pool: this.name, seconds: (performance.now() - start) / 1000, outcome });
    if (this.isFull) {
      tell('shed');
      throw new UnavailableError('too_busy', 'Too many requests wait for the database. Try again.');
    }
    let client: pg.PoolClient;
    try {
      client = await this.connectToCurrent();
    } catch (error) {
      const { message, code, severity } = error as { message: string; code?: string; severity?: string };
      tell(message.includes('timeout') ? 'timeout' : 'failed');
      if (!message.includes('timeout'))
        statementFailed.publish({ pool: this.name, sqlState: severity ? code : undefined });
      throw error;
    }
    tell('ok');
    this.follow(client, signal);
    return client;
  }

  /** A connection to where connections go now; those to where they went before are dropped. */
  private async connectToCurrent(): Promise<pg.PoolClient> {
    if (this.hosts.isInDoubt) {
      this.searching += 1;
      await this.hosts.find().finally(() => (this.searching -= 1));
    }
    for (;;) {
      const client = await super.connect();
      if (!this.hosts.isSuperseded((client as unknown as RunningClient).address)) return client;
      client.release(true);
    }
  }

  /** Watches a connection until it comes back. */
  private follow(client: pg.PoolClient, signal: AbortSignal | undefined): void {
    const start = performance.now();
    const release = client.release.bind(client);
    const running = client as unknown as RunningClient;
    const onAbort = (): void => {
      running.abandoned = signal?.reason as Error;
      this.cancel(client);
    };
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    client.release = (error) => {
      signal?.removeEventListener('abort', onAbort);
      running.abandoned = undefined;
      connectionUsed.publish({ pool: this.name, seconds: (performance.now() - start) / 1000 });
      // pg-pool drops the connection with any error; one that PostgreSQL answered with has left it sound.
      const isSound = error instanceof Error && 'severity' in error;
      const { isReadOnly, address } = running;
      release(isReadOnly || this.hosts.isSuperseded(address) || (isSound ? undefined : error));
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
