import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Env } from '../config/env';
import { ServerState } from '../monitoring/server-state';
import { NOT_CONFIGURED, UNREADABLE } from './reason';

/** How far are the standbys behind? Never down: requests do not need them. */
@Injectable()
export class ReplicationIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly server: ServerState,
    private readonly env: Env,
  ) {}

  async check(): Promise<HealthIndicatorResult> {
    const session = this.indicators.check('replication_lag');
    if (!this.server.isConfigured) return session.up(NOT_CONFIGURED);
    const standbys = await this.server.standbys.get();
    if (!standbys) return session.degraded(UNREADABLE);
    const isBehind = standbys.some(({ seconds }) => seconds > this.env.REPLICATION_LAG_DEGRADED_SECONDS);
    return isBehind ? session.degraded({ standbys }) : session.up({ standbys });
  }
}
