import type { QueryConfig } from 'pg';
import type { BoundedPool } from './bounded-pool';
import { asDomainError } from './database-errors';
import { connectTo } from './server-connection';

/** One statement, in somebody's transaction. */
export type SqlQuery = <Row extends object>(sql: string, parameters?: readonly unknown[]) => Promise<Row[]>;

/** The client gives up this much later than the server, so that the server's own, clearer error arrives first. */
const CLIENT_GRACE_MS = 2_000;

/**
 * Runs `work` in one transaction whose statements may take longer than those that serve requests, and once only.
 * @throws UnavailableError when the database can't serve it, or a statement takes longer than `timeoutMs`
 */
export async function longTransaction<Result>(
  pool: BoundedPool,
  timeoutMs: number,
  work: (query: SqlQuery) => Promise<Result>,
): Promise<Result> {
  let failure: Error | undefined;
  const client = await pool.connect().catch((error: unknown) => {
    throw asDomainError(error);
  });
  const query: SqlQuery = async (text, values = []) => {
    // pg reads query_timeout of a query, too; its types do not tell.
    const config = { text, values: [...values], query_timeout: timeoutMs + CLIENT_GRACE_MS } as QueryConfig;
    return (await client.query(config)).rows as never;
  };
  try {
    await query('BEGIN');
    await query(`SET LOCAL statement_timeout = ${Math.round(timeoutMs)}`);
    const result = await work(query);
    await query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((lost: Error) => (failure = lost));
    throw asDomainError(error);
  } finally {
    client.release(failure);
  }
}

/**
 * The same in a restored cluster that nobody else uses yet: as long as it takes.
 * @param url of the platform login there
 */
export async function lonelyTransaction<Result>(
  url: string,
  work: (query: SqlQuery) => Promise<Result>,
): Promise<Result> {
  const client = await connectTo(url);
  try {
    const query: SqlQuery = async (text, values = []) => (await client.query(text, [...values])).rows as never;
    await query('SET statement_timeout = 0; SET lock_timeout = 0'); // nobody else is there
    await query('BEGIN');
    const result = await work(query); // what it throws ends the connection, and the transaction with it
    await query('COMMIT');
    return result;
  } finally {
    await client.end();
  }
}
