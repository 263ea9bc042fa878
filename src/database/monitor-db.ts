import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import pg from 'pg';
import { chosenHostClient } from './chosen-host-client';
import { parseConnectionString } from './connection-string';
import { HostSelector } from './host-selector';

/** Statistics are few and small; what asks for them takes turns. */
const MAX_CONNECTIONS = 2;
const CONNECT_TIMEOUT_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 5_000;
/** Sizes need a lock of the weakest kind; whoever alters a table holds it up, and must not be queued behind. */
const LOCK_TIMEOUT_MS = 500;
/** The client gives up this much later than the server. */
const CLIENT_GRACE_MS = 1_000;
const IDLE_TIMEOUT_MS = 60_000;

/** What a statement may take as a parameter. */
type Parameter = string | number | boolean | Date | null | readonly string[] | readonly number[];

/** Runs one statement and gives its rows. */
export type MonitorQuery = <Row extends object>(sql: string, parameters?: readonly Parameter[]) => Promise<Row[]>;

/**
 * The door to statistics: plain SQL under the login `tenantry_monitor`, which sees no tenant's rows. It has connections of
 * its own, so that it answers when those of the requests are all in use.
 */
export class MonitorDb implements OnApplicationShutdown {
  private readonly pool: pg.Pool | undefined;
  private readonly hosts: HostSelector | undefined;

  /** @param url of the monitor login; undefined: there is none, and nothing may be asked */
  constructor(url: string | undefined) {
    if (url === undefined) return;
    this.hosts = new HostSelector(parseConnectionString(url, 'POSTGRES_MONITOR_URL'), CONNECT_TIMEOUT_MS);
    this.pool = new pg.Pool({
      Client: chosenHostClient(this.hosts) as unknown as typeof pg.Client,
      application_name: 'tenantry-monitor',
      max: MAX_CONNECTIONS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      lock_timeout: LOCK_TIMEOUT_MS,
      query_timeout: STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS,
    });
    const logger = new Logger('Database');
    this.pool.on('error', (error) => logger.warn(`An idle connection of the monitor was lost: ${error.message}`));
  }

  /** Is there a monitor login (POSTGRES_MONITOR_URL, or that of the embedded database)? */
  get isConfigured(): boolean {
    return this.pool !== undefined;
  }

  /**
   * One statement. `bigint` and `numeric` arrive as texts, as pg has them: cast to `double precision` what is a measure.
   * @throws Error pg's own, within some seconds: callers say in their own words what they could not find out
   */
  async query<Row extends object>(sql: string, parameters: readonly Parameter[] = []): Promise<Row[]> {
    if (!this.pool || !this.hosts) throw new Error('There is no monitor login.');
    await this.hosts.find();
    return (await this.pool.query<Row>(sql, [...parameters])).rows;
  }

  /**
   * What `work` asks, in one transaction (READ COMMITTED) on one connection.
   * @throws Error whatever `work` throws; the transaction is then rolled back
   */
  async transaction<Result>(work: (query: MonitorQuery) => Promise<Result>): Promise<Result> {
    if (!this.pool || !this.hosts) throw new Error('There is no monitor login.');
    await this.hosts.find();
    const client = await this.pool.connect();
    let isBroken = false;
    try {
      await client.query('BEGIN');
      const result = await work(
        async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows as never,
      );
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => (isBroken = true));
      throw error;
    } finally {
      client.release(isBroken);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    await this.pool?.end();
  }
}
