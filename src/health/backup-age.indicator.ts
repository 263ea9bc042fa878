import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { NOT_CONFIGURED } from './reason';

/** How old is the newest backup? Tenantry makes none yet, and knows of none that others make: it says so, and judges nothing. */
@Injectable()
export class BackupAgeIndicator {
  constructor(private readonly indicators: HealthIndicatorService) {}

  check(): HealthIndicatorResult {
    return this.indicators.check('backup_age').up(NOT_CONFIGURED);
  }
}
