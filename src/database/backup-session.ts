import type pg from 'pg';
import { dropConnection } from './drop-connection';
import { connectTo } from './server-connection';

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 5_000;
/** The client gives up this much later than the server. */
const CLIENT_GRACE_MS = 1_000;

/**
 * A server that hears nothing of us for 25 s (10 + 3 × 5) ends the connection, and its locks with it. We notice sooner, as we ask
 * oftener: whoever has lost a lock knows before another can have it.
 */
const SETTINGS = `SET application_name = 'tenantry-backup'; SET statement_timeout = ${STATEMENT_TIMEOUT_MS};
  SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3`;

/** What a statement may take as a parameter. */
type Parameter = string | number | boolean | Date | null;

/** One connection of the backup login, for SQL; its advisory locks last as long as it does. The caller ends it. */
export class BackupSession {
  private readonly gone = new AbortController();

  private constructor(private readonly client: pg.Client) {
    client.once('end', () => this.gone.abort());
  }

  /** @param variable that holds the URL, for messages. @throws StartupError when the server cannot be reached */
  static async connect(url: string, variable: string): Promise<BackupSession> {
    const session = new BackupSession(await connectTo(url, CONNECT_TIMEOUT_MS, variable));
    try {
      await session.query(SETTINGS);
      return session;
    } catch (error) {
      await session.end();
      throw error;
    }
  }

  /** Fires when the connection is no more, in whatever way. */
  get lost(): AbortSignal {
    return this.gone.signal;
  }

  /** @throws pg's DatabaseError, after which the session goes on; any other error is the end of it */
  async query<Row extends object>(text: string, values: readonly Parameter[] = []): Promise<Row[]> {
    try {
      const limits = { query_timeout: STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS };
      // Without values it is a simple query, which may be of several statements.
      const { rows } = await this.client.query<Row>({
        text,
        ...(values.length > 0 && { values: [...values] }),
        ...limits,
      });
      return rows;
    } catch (error) {
      if (!/^[0-9A-Z]{5}$/.test((error as { code?: string }).code ?? '')) this.drop();
      throw error;
    }
  }

  /** Takes the advisory lock of that name for as long as this session lasts. @returns false when another session has it */
  async tryLock(name: string): Promise<boolean> {
    const [row] = await this.query<{ taken: boolean }>(
      'SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS taken',
      [name],
    );
    return row?.taken === true;
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
    this.gone.abort();
  }

  private drop(): void {
    dropConnection(this.client);
    this.gone.abort();
  }
}
