import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ErrorRates } from './error-rates';
import { MetricsRegistry, type Samples } from './metrics-registry';

/** The sliding rates of `/health`, for whoever reads `/metrics` once and cannot compare with earlier (`npm run status`). Of several workers: the worst. */
@Injectable()
export class ErrorRateMetrics implements OnModuleInit {
  constructor(
    private readonly registry: MetricsRegistry,
    private readonly rates: ErrorRates,
  ) {}

  onModuleInit(): void {
    const ofSome = (of: number, share: number): Samples<never> => (of > 0 ? [[{}, share]] : []);
    this.registry.readGauge({
      name: 'http_server_error_ratio',
      help: 'Share of answers of 500 and above within the last 5 minutes, from 0 to 1; absent when there was no request.',
      read: () => {
        const { requests, share } = this.rates.snapshot().http;
        return ofSome(requests, share);
      },
      together: 'max',
    });
    this.registry.readGauge({
      name: 'db_client_error_ratio',
      help: "Share of the database's operations that failed by no fault of the caller's within the last 5 minutes, from 0 to 1.",
      read: () => {
        const { attempts, share } = this.rates.snapshot().database;
        return ofSome(attempts, share);
      },
      together: 'max',
    });
  }
}
