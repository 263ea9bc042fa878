import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ConnectionIndicator } from './connection.indicator';
import { HealthController } from './health.controller';
import { HealthService } from './health.service';
import { LifecycleIndicator } from './lifecycle.indicator';
import { MigrationsIndicator } from './migrations.indicator';
import { PoolIndicator } from './pool.indicator';

@Module({
  imports: [TerminusModule.forRoot({ logger: false })], // a failed probe is counted, not shouted
  controllers: [HealthController],
  providers: [HealthService, LifecycleIndicator, ConnectionIndicator, PoolIndicator, MigrationsIndicator],
})
export class HealthModule {}
