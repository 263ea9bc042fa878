import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { Env } from '../config/env';

export type Phase = 'starting' | 'serving' | 'stopping';

/** Where this instance stands between its start and its end. */
@Injectable()
export class Lifecycle implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private current: Phase = 'starting';

  constructor(private readonly env: Env) {}

  get phase(): Phase {
    return this.current;
  }

  onApplicationBootstrap(): void {
    this.current = 'serving';
  }

  /** Before the last requests are answered: whoever asks from now on sends the next ones elsewhere. */
  beforeApplicationShutdown(): void {
    this.current = 'stopping';
  }

  /**
   * Says that this instance is about to stop, and serves on until load balancers have taken that in: they ask once in a while,
   * and what they send until then must be answered. Resolves after SHUTDOWN_DELAY_MS.
   */
  async leave(): Promise<void> {
    this.current = 'stopping';
    await sleep(this.env.shutdownDelayMs);
  }
}
