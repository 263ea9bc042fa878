import { Logger } from '@nestjs/common';
import type { Env } from '../config/env';
import { BoundedPool } from './bounded-pool';
import { parseConnectionString } from './connection-string';
import { HostSelector } from './host-selector';
import type { AnyPoolName } from './pool-name';

const logger = new Logger('Database');

/** The client gives up this much later than the server, so that the server's own, clearer error arrives first. */
const CLIENT_GRACE_MS = 2_000;
/** Connections are renewed after half an hour, so that a failed-over or resized server gets its share again. */
const MAX_LIFETIME_SECONDS = 1_800;

/** Whoever gets no connection to a replica has the primary: no need to be patient. */
const REPLICA_CONNECT_TIMEOUT_MS = 1_000;
const VARIABLES = { app: 'POSTGRES_URL', platform: 'POSTGRES_PLATFORM_URL', replica: 'POSTGRES_REPLICA_URL' } as const;

/** A pool whose connections cannot wait for ever, for anything. */
export function createPool(name: AnyPoolName, connectionString: string, env: Env): BoundedPool {
  const isReplica = name === 'replica';
  const target = parseConnectionString(connectionString, VARIABLES[name], isReplica ? 'prefer-standby' : 'read-write');
  const connectTimeoutMs = isReplica
    ? Math.min(env.POSTGRES_CONNECT_TIMEOUT_MS, REPLICA_CONNECT_TIMEOUT_MS)
    : env.POSTGRES_CONNECT_TIMEOUT_MS;
  const pool = new BoundedPool(name, new HostSelector(target, connectTimeoutMs), {
    application_name: `tenantry-${name}`,
    max: name === 'platform' ? env.POSTGRES_PLATFORM_POOL_SIZE : env.POSTGRES_POOL_SIZE,
    maxWaiting: env.POSTGRES_MAX_WAITING,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: env.POSTGRES_IDLE_TIMEOUT_MS,
    maxLifetimeSeconds: MAX_LIFETIME_SECONDS,
    statement_timeout: env.POSTGRES_STATEMENT_TIMEOUT_MS,
    lock_timeout: env.POSTGRES_LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: env.POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS,
    query_timeout: env.POSTGRES_STATEMENT_TIMEOUT_MS + CLIENT_GRACE_MS,
  });
  // Without a listener the loss of an idle connection would end the process.
  pool.on('error', (error) => logger.warn(`An idle connection was lost: ${error.message}`));
  return pool;
}
