import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HttpModule } from '../http/http.module';
import { MonitoringModule } from '../monitoring/monitoring.module';
import { BackupAgeIndicator } from './backup-age.indicator';
import { ConnectionIndicator } from './connection.indicator';
import { DiskGrowthIndicator } from './disk-growth.indicator';
import { DrillIndicator } from './drill.indicator';
import { ErrorRateIndicator } from './error-rate.indicator';
import { HealthController } from './health.controller';
import { HealthService } from './health.service';
import { LifecycleIndicator } from './lifecycle.indicator';
import { MigrationsIndicator } from './migrations.indicator';
import { PoolIndicator } from './pool.indicator';
import { ReplicationIndicator } from './replication.indicator';
import { ServerActivityIndicator } from './server-activity.indicator';

@Module({
  imports: [HttpModule, MonitoringModule, TerminusModule.forRoot({ logger: false })], // a failed probe is counted, not shouted
  controllers: [HealthController],
  providers: [
    HealthService,
    LifecycleIndicator,
    ConnectionIndicator,
    PoolIndicator,
    MigrationsIndicator,
    ErrorRateIndicator,
    ReplicationIndicator,
    ServerActivityIndicator,
    DiskGrowthIndicator,
    BackupAgeIndicator,
    DrillIndicator,
  ],
})
export class HealthModule {}
