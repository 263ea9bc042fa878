import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import { type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { UnavailableError } from '../common/errors';
import { BackupAgeIndicator } from './backup-age.indicator';
import { ConnectionIndicator } from './connection.indicator';
import { DiskGrowthIndicator } from './disk-growth.indicator';
import { DrillIndicator } from './drill.indicator';
import { ErrorRateIndicator } from './error-rate.indicator';
import { LifecycleIndicator } from './lifecycle.indicator';
import { MigrationsIndicator } from './migrations.indicator';
import { PoolIndicator } from './pool.indicator';
import { ReplicationIndicator } from './replication.indicator';
import { ServerActivityIndicator } from './server-activity.indicator';

type HealthCheck = Parameters<HealthCheckService['check']>[0][number];

/** Which checks make up which answer. */
@Injectable()
export class HealthService {
  constructor(
    private readonly health: HealthCheckService,
    private readonly lifecycle: LifecycleIndicator,
    private readonly connections: ConnectionIndicator,
    private readonly pools: PoolIndicator,
    private readonly migrations: MigrationsIndicator,
    private readonly errorRate: ErrorRateIndicator,
    private readonly replication: ReplicationIndicator,
    private readonly activity: ServerActivityIndicator,
    private readonly diskGrowth: DiskGrowthIndicator,
    private readonly backupAge: BackupAgeIndicator,
    private readonly drill: DrillIndicator,
  ) {}

  /** @throws UnavailableError before the application is up, and while it stops */
  async assertStarted(): Promise<void> {
    const { status } = await this.run([() => this.lifecycle.check()]);
    if (status === 'error' || status === 'shutting_down') throw notReady();
  }

  /** @throws UnavailableError while requests would fail */
  async assertReady(): Promise<void> {
    const { status } = await this.run(this.requirements());
    if (status === 'error' || status === 'shutting_down') throw notReady();
  }

  /** Every check with what it found; it tells of failures instead of throwing. */
  detail(): Promise<HealthCheckResult> {
    return this.run([
      ...this.requirements(),
      () => this.errorRate.check(),
      () => this.replication.check(),
      () => this.activity.check(),
      () => this.diskGrowth.check(),
      () => this.backupAge.check(),
      () => this.drill.check(),
    ]);
  }

  /** What requests need: an instance that lacks any of it is not ready. */
  private requirements(): HealthCheck[] {
    return [
      () => this.lifecycle.check(),
      () => this.connections.check('app'),
      () => this.connections.check('platform'),
      () => this.pools.check('app'),
      () => this.pools.check('platform'),
      () => this.migrations.check(),
    ];
  }

  private async run(checks: HealthCheck[]): Promise<HealthCheckResult> {
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
