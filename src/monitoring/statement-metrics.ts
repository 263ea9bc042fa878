import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Counter } from 'prom-client';
import { MonitorDb } from '../database/monitor-db';
import { CachedReading } from './cached-reading';
import { SharedMetricsRegistry } from './metrics-registry';
import { type StatementRow, StatementsRepository } from './statements.repository';

/** Statements that the metrics show: those that took most time in all. Each has a series per metric. */
const SHOWN_STATEMENTS = 20;
/** The server reads its file of texts for it. */
const FRESH_MS = 15_000;
const PATIENCE_MS = 2_000;

/** What the busiest statements have taken, by fingerprint and login; nothing where the server does not count. */
@Injectable()
export class StatementMetrics implements OnModuleInit {
  private readonly logger = new Logger('Monitoring');
  private readonly busiest: CachedReading<StatementRow[]>;

  constructor(
    private readonly registry: SharedMetricsRegistry,
    private readonly db: MonitorDb,
    private readonly statements: StatementsRepository,
  ) {
    this.busiest = new CachedReading(
      () => this.read(),
      FRESH_MS,
      PATIENCE_MS,
      (error) => {
        const { code = 'no answer' } = error as { code?: string };
        this.logger.warn(`The statistics of statements cannot be read under the monitor login: ${code}`);
      },
    );
  }

  onModuleInit(): void {
    if (!this.db.isConfigured) return;
    this.count('calls', 'Executions of a statement, of those that took most time.', ({ calls }) => calls);
    this.count('seconds', 'Time that a statement took on the server.', ({ totalMs }) => totalMs / 1000);
    this.count('rows', 'Rows that a statement returned or changed.', ({ rows }) => rows);
  }

  private count(what: string, help: string, valueOf: (row: StatementRow) => number): void {
    const { registry, busiest } = this;
    new Counter({
      name: `pg_stat_statements_${what}_total`,
      help,
      labelNames: ['fingerprint', 'login'],
      registers: [registry],
      async collect() {
        const rows = (await busiest.get()) ?? [];
        this.reset();
        for (const row of rows) this.inc({ fingerprint: row.fingerprint, login: row.login }, valueOf(row));
      },
    });
  }

  private async read(): Promise<StatementRow[]> {
    const source = await this.statements.locate();
    return typeof source === 'string' ? [] : this.statements.list(source, 'totalTime', SHOWN_STATEMENTS);
  }
}
