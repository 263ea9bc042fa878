import { setTimeout as sleep } from 'node:timers/promises';
import { isUUID } from 'class-validator';
import type pg from 'pg';
import { sqlState } from './database-errors';
import { connectTo } from './server-connection';

/** A row of a tenant takes part in a lock for so long at most before the attempt is given up and made again. */
const LOCK_TIMEOUT_MS = 3_000;
/** A tenant of millions of rows takes minutes; this only ends what hangs. */
const STATEMENT_TIMEOUT_MS = 1_800_000;
const MAX_ATTEMPTS = 5;
const RETRY_MS = 500;
/** lock_not_available, deadlock_detected, serialization_failure (PostgreSQL manual, appendix A). */
const BUSY_STATES = new Set(['55P03', '40P01', '40001']);

/** So that a value is the same text on every server. */
export const SAME_TEXT_EVERYWHERE =
  "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET extra_float_digits = 1; SET bytea_output = 'hex'";

/** Runs one statement and gives its rows. */
export type WriterQuery = <Row extends object>(sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;

/** A transaction of one tenant under the backup login. */
export interface WriterTx {
  readonly tenantId: string;
  readonly query: WriterQuery;
  /** From here on rows of another tenant are shown and taken, and of no other. */
  actFor(tenantId: string): Promise<void>;
}

/** Others hold what is needed, and go on holding it. */
export class TenantBusyError extends Error {
  constructor(cause: unknown) {
    super('The tenant is written to without a pause. Try again.', { cause });
    this.name = 'TenantBusyError';
  }
}

/**
 * The door for whoever writes a tenant's rows as a whole (a restore, an import): a connection of its own under the backup login,
 * who is bound by row-level security like everybody. A mistake in a statement reaches no other tenant.
 */
export class TenantWriter {
  private constructor(private readonly client: pg.Client) {}

  /** @throws StartupError when the server cannot be reached */
  static async connect(url: string, variable: string): Promise<TenantWriter> {
    const client = await connectTo(url, undefined, variable);
    try {
      await client.query(`${SAME_TEXT_EVERYWHERE}; SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
      return new TenantWriter(client);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  /** One statement with no tenant set. */
  readonly query: WriterQuery = async (sql, parameters = []) =>
    (await this.client.query(sql, [...parameters])).rows as never;

  /**
   * Runs `work` in one transaction in which PostgreSQL shows and takes rows of this tenant only. It runs again when it has waited too
   * long for a lock or lost against another transaction.
   * @throws TenantBusyError when it never got through
   */
  async run<Result>(tenantId: string, work: (tx: WriterTx) => Promise<Result>): Promise<Result> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.attempt(tenantId, work);
      } catch (error) {
        if (!BUSY_STATES.has(sqlState(error as Error) ?? '')) throw error;
        if (attempt === MAX_ATTEMPTS) throw new TenantBusyError(error);
        await sleep(Math.random() * RETRY_MS * attempt);
      }
    }
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }

  private async attempt<Result>(tenantId: string, work: (tx: WriterTx) => Promise<Result>): Promise<Result> {
    await this.client.query('BEGIN');
    try {
      await this.client.query(`SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}`);
      await this.setTenant(tenantId);
      const actFor = (id: string): Promise<void> => this.setTenant(id);
      const result = await work({ tenantId, query: this.query, actFor });
      await this.client.query('COMMIT');
      return result;
    } catch (error) {
      await this.client.query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  private async setTenant(tenantId: string): Promise<void> {
    if (!isUUID(tenantId)) throw new TypeError('a tenant id must be a UUID');
    await this.client.query(`SET LOCAL app.tenant_id = '${tenantId}'`); // SET takes no parameters
  }
}
