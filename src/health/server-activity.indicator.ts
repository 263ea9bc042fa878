import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ServerState } from '../monitoring/server-state';
import { NOT_CONFIGURED, UNREADABLE } from './reason';

/** Who is connected, which transaction is the oldest, who waits for a lock, how far the archive is behind? It tells, and judges nothing. */
@Injectable()
export class ServerActivityIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly server: ServerState,
  ) {}

  async check(): Promise<HealthIndicatorResult> {
    const session = this.indicators.check('server_activity');
    if (!this.server.isConfigured) return session.up(NOT_CONFIGURED);
    const [activity, archive] = await Promise.all([this.server.activity.get(), this.server.archive.get()]);
    if (!activity || archive === undefined) return session.degraded(UNREADABLE);
    return session.up({ ...activity, archive: archive ?? 'off' });
  }
}
