import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Env } from '../config/env';
import { DatabaseSizeService } from '../monitoring/database-size.service';
import { ServerState } from '../monitoring/server-state';
import { NOT_CONFIGURED, UNREADABLE } from './reason';

/** When will the disk be full? Degraded within DISK_FULL_DEGRADED_DAYS; never down: a full disk shows by itself. */
@Injectable()
export class DiskGrowthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly server: ServerState,
    private readonly size: DatabaseSizeService,
    private readonly env: Env,
  ) {}

  async check(): Promise<HealthIndicatorResult> {
    const session = this.indicators.check('disk_growth');
    if (!this.server.isConfigured || this.env.DATABASE_DISK_BOUND_BYTES === undefined)
      return session.up(NOT_CONFIGURED);
    const size = await this.size.get();
    if (!size) return session.degraded(UNREADABLE);
    const { bytes, boundBytes, daysUntilFull, growth } = size;
    const found = { bytes, boundBytes, growthBytesPerDay: { ...growth }, daysUntilFull };
    const isSoon = daysUntilFull !== null && daysUntilFull < this.env.DISK_FULL_DEGRADED_DAYS;
    return isSoon ? session.degraded(found) : session.up(found);
  }
}
