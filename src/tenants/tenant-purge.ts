import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { PlatformDb } from '../database/platform-db';
import { TenantDb } from '../database/tenant-db';
import { TenantsRepository } from './tenants.repository';

const TENANTS_PER_RUN = 100;

/** Removes deleted tenants for good when their time to be restored is over. Their audit trail stays. */
@Injectable()
export class TenantPurge {
  private readonly logger = new Logger('TenantPurge');

  constructor(
    private readonly platformDb: PlatformDb,
    private readonly tenantDb: TenantDb,
    private readonly tenants: TenantsRepository,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  @Cron(CronExpression.EVERY_HOUR)
  async runHourly(): Promise<void> {
    await this.run().catch((error: unknown) => this.logger.warn(`Deleted tenants stay for now: ${String(error)}`));
  }

  /** Several instances may run at once: each tenant is purged by one of them. @returns how many this one purged */
  async run(): Promise<number> {
    const now = this.clock.now();
    const expired = await this.platformDb.read((tx) => this.tenants.listExpired(tx, now, TENANTS_PER_RUN));
    let purged = 0;
    for (const id of expired) {
      const done = await this.tenantDb.run(id, async (tx) => {
        if (!(await this.tenants.purge(tx, now))) return false;
        await this.audit.record(tx, { type: 'system' }, { action: 'tenant.purged', target: { type: 'Tenant', id } });
        return true;
      });
      if (done) purged += 1;
    }
    if (purged > 0) this.logger.log(`Purged ${purged} deleted tenants`);
    return purged;
  }
}
