import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';

/** Has this instance started, and is it not stopping? */
@Injectable()
export class LifecycleIndicator implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private phase: 'starting' | 'serving' | 'stopping' = 'starting';

  constructor(private readonly indicators: HealthIndicatorService) {}

  onApplicationBootstrap(): void {
    this.phase = 'serving';
  }

  /** Before the last requests are answered: whoever asks from now on sends the next ones elsewhere. */
  beforeApplicationShutdown(): void {
    this.phase = 'stopping';
  }

  check(): HealthIndicatorResult {
    const session = this.indicators.check('lifecycle');
    return this.phase === 'serving' ? session.up() : session.down(this.phase);
  }
}
