import { Logger } from '@nestjs/common';
import pg from 'pg';
import type { Env } from '../config/env';

/** What a pool is used for; it shows in `pg_stat_activity.application_name`. */
export type PoolName = 'app' | 'platform';

const logger = new Logger('Database');

/** The client gives up this much later than the server, so that the server's own, clearer error arrives first. */
const CLIENT_GRACE_MS = 2_000;
/** Connections are renewed after half an hour, so that a failed-over or resized server gets its share again. */
const MAX_LIFETIME_SECONDS = 1_800;

/** A pool whose connections cannot wait for ever, for anything. */
export function createPool(name: PoolName, connectionString: string, env: Env): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    application_name: `tenantry-${name}`,
    max: name === 'app' ? env.POSTGRES_POOL_SIZE : env.POSTGRES_PLATFORM_POOL_SIZE,
    connectionTimeoutMillis: env.POSTGRES_CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: env.POSTGRES_IDLE_TIMEOUT_MS,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    keepAlive: true,
    statement_timeout: env.POSTGRES_STATEMENT_TIMEOUT_MS,
    lock_timeout: env.POSTGRES_LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: env.POSTGRES_STATEMENT_TIMEOUT_MS,
    query_timeout: env.POSTGRES_STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS,
  });
  // Without a listener the loss of an idle connection would end the process.
  pool.on('error', (error) => logger.warn(`An idle connection was lost: ${error.message}`));
  return pool;
}
