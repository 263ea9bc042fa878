import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { pendingMigrations } from '../database/migrations';
import { Pools } from '../database/pools';
import { reasonOf } from './reason';

const TIMEOUT_MS = 2_000;
/** Migrations change with deployments, not between two probes. */
const CACHED_MS = 10_000;

/** Has the database every migration that this code was written for? */
@Injectable()
export class MigrationsIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly pools: Pools,
  ) {}

  check() {
    return this.indicators
      .check('migrations')
      .attempt(async () => {
        const state = await this.read();
        if (state.pending.length > 0 || state.failed.length > 0) throw new Error('pending');
        return { ...state };
      })
      .withTimeout(TIMEOUT_MS)
      .cacheFor(CACHED_MS);
  }

  private async read() {
    try {
      return await pendingMigrations(async (sql) => (await this.pools.app.query(sql)).rows as unknown[]);
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  }
}
