import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Env } from '../config/env';
import { DatabaseSizeService } from './database-size.service';
import { type Samples, SharedMetricsRegistry } from './metrics-registry';
import { ServerState } from './server-state';

/** How fast the database grows, and who takes it up; nothing of it exists where there is no monitor login. */
@Injectable()
export class SizeMetrics implements OnModuleInit {
  constructor(
    private readonly registry: SharedMetricsRegistry,
    private readonly server: ServerState,
    private readonly size: DatabaseSizeService,
    private readonly env: Env,
  ) {}

  onModuleInit(): void {
    if (!this.server.isConfigured) return;
    this.registry.readGauge({
      name: 'pg_database_growth_bytes_per_day',
      help: 'How fast this database grows, from its hourly samples; absent with too little history.',
      labels: ['window'],
      read: async () => {
        const { last7Days = null, last30Days = null } = (await this.size.get())?.growth ?? {};
        return known<'window'>([
          [{ window: '7d' }, last7Days],
          [{ window: '30d' }, last30Days],
        ]);
      },
    });
    this.registry.readGauge({
      name: 'pg_database_days_until_full',
      help: 'Days until the database reaches DATABASE_DISK_BOUND_BYTES; absent without a bound, history or growth.',
      read: async () => known([[{}, (await this.size.get())?.daysUntilFull ?? null]]),
    });
    this.registry.readGauge({
      name: 'tenant_size_bytes',
      help: "The largest tenants' parts of the tables, by id, as the newest sample has them.",
      labels: ['tenant'],
      read: async () =>
        (await this.size.get())?.tenants
          .slice(0, this.env.METRICS_BUSIEST_TENANTS)
          .map(({ name, bytes }) => [{ tenant: name }, bytes]),
    });
  }
}

/** The series that have a value. */
function known<Label extends string>(
  series: [labels: Partial<Record<Label, string>>, value: number | null][],
): Samples<Label> {
  return series.filter((one): one is Samples<Label>[number] => one[1] !== null);
}
