import { Injectable, Logger } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Clock } from '../common/clock';
import { PLATFORM_TENANT_ID } from '../common/id';
import { MonitorDb, type MonitorQuery } from '../database/monitor-db';
import { SizeSamplesRepository } from './size-samples.repository';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A week with a day to spare: growth over 7 days is seen by the hour. */
const HOURLY_DAYS = 8;
/** A year with a month to compare with. */
const DAILY_DAYS = 400;

/**
 * Notes each hour how large the database, its tables and its largest tenants are. Every instance tries, one does: the others find
 * the lock taken or the hour's sample there.
 */
@Injectable()
export class SizeSampler {
  private readonly logger = new Logger('SizeSampler');

  constructor(
    private readonly db: MonitorDb,
    private readonly samples: SizeSamplesRepository,
    private readonly clock: Clock,
  ) {}

  /** Oftener than each hour, so that one in which the database was away for a moment still gets its sample. */
  @Cron('7-59/10 * * * *')
  async runOften(): Promise<void> {
    if (!this.db.isConfigured) return;
    await this.run().catch((error: unknown) => this.logger.warn(`Sizes are not sampled for now: ${String(error)}`));
  }

  /**
   * Takes this hour's sample (UTC) unless there is one, and removes old ones.
   * @returns whether this instance took it
   */
  run(): Promise<boolean> {
    return this.samples.transaction(async (query) => {
      if (!(await this.samples.tryLock(query))) return false;
      const now = this.clock.now();
      if (await this.samples.existsSince(query, new Date(Math.floor(now.getTime() / HOUR_MS) * HOUR_MS))) return false;
      await this.samples.insertDatabaseAndTables(query, now);
      await this.sampleTenants(query, now);
      await this.samples.thinOut(
        query,
        new Date(now.getTime() - HOURLY_DAYS * DAY_MS),
        new Date(now.getTime() - DAILY_DAYS * DAY_MS),
      );
      return true;
    });
  }

  /** The dearest part. Where it does not end within the monitor's time, the rest of the sample is kept all the same. */
  private async sampleTenants(query: MonitorQuery, now: Date): Promise<void> {
    await query('SAVEPOINT tenants');
    try {
      await this.samples.insertTenants(query, now, PLATFORM_TENANT_ID);
    } catch (error) {
      await query('ROLLBACK TO SAVEPOINT tenants');
      this.logger.warn(`The tenants' sizes are missing from this sample: ${String(error)}`);
    }
  }
}
