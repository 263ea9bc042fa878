import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import type { PoolName } from '../database/pool-name';
import { Pools } from '../database/pools';

/** From this share of connections in use on an instance still serves, and has little left. */
const DEGRADED_SHARE = 0.8;

/** How full is the pool? Down when every connection is in use and callers are turned away. */
@Injectable()
export class PoolIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly pools: Pools,
  ) {}

  check(name: PoolName): HealthIndicatorResult {
    const pool = this.pools[name];
    const max = pool.options.max;
    const used = pool.totalCount - pool.idleCount;
    const waiting = pool.pendingCount;
    const usage = { used, idle: pool.idleCount, waiting, max };
    const session = this.indicators.check(`pool_${name}`);
    if (pool.isFull) return session.down(usage);
    return used >= max * DEGRADED_SHARE ? session.degraded(usage) : session.up(usage);
  }
}
