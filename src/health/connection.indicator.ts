import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import { regardless } from '../database/abandonment';
import type { PoolName } from '../database/pool-name';
import { Pools } from '../database/pools';
import { reasonOf } from './reason';

/** Orchestrators give a probe one to a few seconds. */
const PROBE_TIMEOUT_MS = 2_000;
const CACHED_MS = 500;

/** Does the server answer under this login? */
@Injectable()
export class ConnectionIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly pools: Pools,
  ) {}

  check(name: PoolName) {
    return this.indicators
      .check(`connection_${name}`)
      .attempt(async () => {
        // Its answer is kept for other probes.
        await regardless(() => this.pools[name].query('SELECT 1')).catch((error: unknown) => {
          throw new Error(reasonOf(error)); // what is thrown is published: our own word for it
        });
      })
      .withTimeout(PROBE_TIMEOUT_MS)
      .cacheFor(CACHED_MS);
  }
}
