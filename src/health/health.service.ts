import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { UnavailableError } from '../common/errors';
import { ConnectionIndicator } from './connection.indicator';
import { LifecycleIndicator } from './lifecycle.indicator';
import { MigrationsIndicator } from './migrations.indicator';
import { PoolIndicator } from './pool.indicator';

/** Which checks make up which answer. */
@Injectable()
export class HealthService {
  constructor(
    private readonly health: HealthCheckService,
    private readonly lifecycle: LifecycleIndicator,
    private readonly connections: ConnectionIndicator,
    private readonly pools: PoolIndicator,
    private readonly migrations: MigrationsIndicator,
  ) {}

  /** @throws UnavailableError before the application is up, and while it stops */
  async assertStarted(): Promise<void> {
    const { status } = await this.run([() => this.lifecycle.check()]);
    if (status === 'error' || status === 'shutting_down') throw notReady();
  }

  /** @throws UnavailableError while requests would fail */
  async assertReady(): Promise<void> {
    const { status } = await this.detail();
    if (status === 'error' || status === 'shutting_down') throw notReady();
  }

  /** Every check with what it found; it tells of failures instead of throwing. */
  detail(): Promise<HealthCheckResult> {
    return this.run([
      () => this.lifecycle.check(),
      () => this.connections.check('app'),
      () => this.connections.check('platform'),
      () => this.pools.check('app'),
      () => this.pools.check('platform'),
      () => this.migrations.check(),
    ]);
  }

  private async run(checks: Parameters<HealthCheckService['check']>[0]): Promise<HealthCheckResult> {
    try {
      return await this.health.check(checks);
    } catch (error) {
      if (error instanceof ServiceUnavailableException) return error.getResponse() as HealthCheckResult;
      throw error;
    }
  }
}

function notReady(): UnavailableError {
  return new UnavailableError('not_ready', 'This instance cannot serve now.');
}
