import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { regardless } from '../database/abandonment';
import { type MigrationState, pendingMigrations } from '../database/migrations';
import { Pools } from '../database/pools';
import { reasonOf } from './reason';

const TIMEOUT_MS = 2_000;
/** Migrations change with deployments, not between two probes. */
const COMPLETE_FOR_MS = 10_000;
/** What is wrong may be put right at any time, as when the database comes back. */
const CACHED_MS = 500;
const COMPLETE: MigrationState = { pending: [], failed: [], edited: [] };

/** Has the database every migration that this code was written for? */
@Injectable()
export class MigrationsIndicator {
  private completeUntil = 0;

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly pools: Pools,
  ) {}

  check() {
    return this.indicators
      .check('migrations')
      .attempt(async () => {
        if (performance.now() < this.completeUntil) return { ...COMPLETE };
        const state = await this.read();
        if (state.pending.length > 0 || state.failed.length > 0) throw new Error('pending');
        if (state.edited.length === 0) this.completeUntil = performance.now() + COMPLETE_FOR_MS;
        return { ...state };
      })
      .withTimeout(TIMEOUT_MS)
      .cacheFor(CACHED_MS);
  }

  private async read() {
    try {
      // Its answer is kept for other probes.
      return await regardless(() =>
        pendingMigrations(async (sql) => (await this.pools.app.query(sql)).rows as unknown[]),
      );
    } catch (error) {
      throw new Error(reasonOf(error), { cause: error });
    }
  }
}
