/** What a pool is used for; it shows in `pg_stat_activity.application_name`. */
export type PoolName = 'app' | 'platform';
export const POOL_NAMES: readonly PoolName[] = ['app', 'platform'];

/** Of any pool: that of the replica is there only where POSTGRES_REPLICA_URL is set. */
export type AnyPoolName = PoolName | 'replica';
