import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { Env } from '../config/env';
import { ErrorRates } from '../monitoring/error-rates';

/** How much went wrong within the last 5 minutes? Degraded beyond ERROR_RATE_DEGRADED; an instance that fails still serves. */
@Injectable()
export class ErrorRateIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly rates: ErrorRates,
    private readonly env: Env,
  ) {}

  check(): HealthIndicatorResult {
    const { ERROR_RATE_DEGRADED, ERROR_RATE_MIN_REQUESTS } = this.env;
    const found = { ...this.rates.snapshot() };
    const isHigh = (share: number, of: number): boolean => of >= ERROR_RATE_MIN_REQUESTS && share > ERROR_RATE_DEGRADED;
    const { http, database } = found;
    const session = this.indicators.check('error_rate');
    const isDegraded = isHigh(http.share, http.requests) || isHigh(database.share, database.attempts);
    return isDegraded ? session.degraded(found) : session.up(found);
  }
}
