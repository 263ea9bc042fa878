import type { Env } from '../config/env';
import { backupProblems, type BackupStatus } from './backup-status';
import type { Asked, InstanceStatus } from './instance-status';
import type { ServerStatus } from './server-status';

/** What was found out, all of it. */
export interface Findings {
  checkedAt: Date;
  /** Where the instance was asked. */
  url: string;
  server: Asked<ServerStatus>;
  instance: Asked<InstanceStatus>;
  backups: BackupStatus;
}

/** Above this share of connections in use a pool has little left; `/health` says the same. */
const POOL_DEGRADED_SHARE = 0.8;

/** What is wrong, in words; nothing: all is well. The bounds are those of `/health`. */
export function problemsIn({ checkedAt, url, server, instance, backups }: Findings, env: Env): string[] {
  return [
    ...(server.isReachable ? serverProblems(server.status, env) : [`PostgreSQL cannot be asked: ${server.reason}`]),
    ...(instance.isReachable
      ? instanceProblems(instance.status, env)
      : [`Tenantry at ${url} cannot be asked: ${instance.reason}`]),
    ...(server.isReachable ? backupProblems(backups, checkedAt) : []),
  ];
}

function serverProblems({ standbys, size }: ServerStatus, env: Env): string[] {
  const behind = standbys.filter(({ seconds }) => seconds > env.REPLICATION_LAG_DEGRADED_SECONDS);
  const days = size?.daysUntilFull ?? null;
  return [
    ...behind.map(({ standby, seconds }) => `The standby ${standby} is ${Math.round(seconds)} s behind.`),
    ...(days !== null && days < env.DISK_FULL_DEGRADED_DAYS ? [`The disk will be full in ${days} days.`] : []),
    ...(size === null ? ['Sizes cannot be read: are all migrations applied?'] : []),
  ];
}

function instanceProblems({ pools, http, database }: InstanceStatus, env: Env): string[] {
  const isHigh = (ratio: number | null): boolean => (ratio ?? 0) > env.ERROR_RATE_DEGRADED;
  return [
    ...pools
      .filter(({ used, max }) => used >= max * POOL_DEGRADED_SHARE)
      .map(({ name, used, max }) => `The pool ${name} has ${used} of ${max} connections in use.`),
    ...(isHigh(http.recentErrorRatio) ? ['Many requests fail.'] : []),
    ...(isHigh(database.recentErrorRatio) ? ["Many of the database's operations fail."] : []),
  ];
}
