import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { operationDone, statementFailed } from '../database/database-events';
import { POOL_NAMES } from '../database/pool-name';
import { DATABASE_BUCKETS } from './durations';
import { MetricsRegistry } from './metrics-registry';
import { sqlStateClass } from './sqlstate-class';

/** Classes that alerts watch; they stand there from the start, so that a first error is seen as an increase. */
const WATCHED_CLASSES = ['53', '57P', 'XX', 'connection'];

/** What is asked of the database, and what it answers. */
@Injectable()
export class OperationMetrics implements OnModuleInit, OnApplicationShutdown {
  private subscriptions: (() => void)[] = [];

  constructor(private readonly registry: MetricsRegistry) {}

  onModuleInit(): void {
    const duration = new Histogram({
      name: 'db_client_operation_duration_seconds',
      help: "Time of an operation of Prisma's, until its rows were there; $write: of reviewed statements in one round trip.",
      labelNames: ['db_operation_name', 'db_collection_name', 'db_response_status_code'],
      buckets: DATABASE_BUCKETS,
      registers: [this.registry],
    });
    const errors = new Counter({
      name: 'db_client_errors_total',
      help: 'Statements and connections that failed, by class of SQLSTATE.',
      labelNames: ['pool', 'sqlstate_class'],
      registers: [this.registry],
    });
    for (const pool of POOL_NAMES) {
      for (const name of WATCHED_CLASSES) errors.inc({ pool, sqlstate_class: name }, 0);
    }
    this.subscriptions = [
      operationDone.subscribe(({ operation, model = '', seconds, statusCode }) =>
        duration.observe(
          { db_operation_name: operation, db_collection_name: model, db_response_status_code: statusCode },
          seconds,
        ),
      ),
      statementFailed.subscribe(({ pool, sqlState }) => errors.inc({ pool, sqlstate_class: sqlStateClass(sqlState) })),
    ];
  }

  onApplicationShutdown(): void {
    for (const end of this.subscriptions) end();
  }
}
