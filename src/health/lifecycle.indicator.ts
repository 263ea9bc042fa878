import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Lifecycle } from '../http/lifecycle';

/** Has this instance started, and is it not stopping? */
@Injectable()
export class LifecycleIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly lifecycle: Lifecycle,
  ) {}

  check(): HealthIndicatorResult {
    const session = this.indicators.check('lifecycle');
    const { phase } = this.lifecycle;
    return phase === 'serving' ? session.up() : session.down(phase);
  }
}
