import { Module } from '@nestjs/common';
import { StatementPlanner } from '../database/statement-planner';
import { AccessMetrics } from './access-metrics';
import { ActivityRepository } from './activity.repository';
import { BackupMetrics } from './backup-metrics';
import { DatabaseSizeController } from './database-size.controller';
import { DatabaseSizeService } from './database-size.service';
import { DrillMetrics } from './drill-metrics';
import { ErrorRateMetrics } from './error-rate-metrics';
import { ErrorRates } from './error-rates';
import { HttpMetrics } from './http-metrics';
import { MetricsController } from './metrics.controller';
import { MetricsRegistry, SharedMetricsRegistry } from './metrics-registry';
import { MetricsServer } from './metrics-server';
import { MetricsService } from './metrics.service';
import { OperationMetrics } from './operation-metrics';
import { PoolMetrics } from './pool-metrics';
import { ProcessMetrics } from './process-metrics';
import { ReplicationRepository } from './replication.repository';
import { ServerMetrics } from './server-metrics';
import { ServerState } from './server-state';
import { SizeMetrics } from './size-metrics';
import { SizeSampler } from './size-sampler';
import { SizeSamplesRepository } from './size-samples.repository';
import { SlowStatementLog } from './slow-statement-log';
import { StatementMetrics } from './statement-metrics';
import { StatementsController } from './statements.controller';
import { StatementsRepository } from './statements.repository';
import { StatementsService } from './statements.service';
import { StorageRepository } from './storage.repository';

/** What operators see: metrics, error rates, the state of the server. */
@Module({
  controllers: [MetricsController, DatabaseSizeController, StatementsController],
  providers: [
    AccessMetrics,
    ActivityRepository,
    BackupMetrics,
    DrillMetrics,
    DatabaseSizeService,
    ErrorRateMetrics,
    ErrorRates,
    HttpMetrics,
    MetricsRegistry,
    MetricsServer,
    MetricsService,
    OperationMetrics,
    PoolMetrics,
    ProcessMetrics,
    ReplicationRepository,
    ServerMetrics,
    ServerState,
    SharedMetricsRegistry,
    SizeMetrics,
    SizeSampler,
    SizeSamplesRepository,
    SlowStatementLog,
    StatementMetrics,
    StatementPlanner,
    StatementsRepository,
    StatementsService,
    StorageRepository,
  ],
  exports: [DatabaseSizeService, ErrorRates, MetricsRegistry, ServerState, StatementsService],
})
export class MonitoringModule {}
