import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Histogram } from 'prom-client';
import { Env } from '../config/env';
import { requestDone } from '../http/request-done';
import { BusiestKeys } from './busiest-keys';
import { HTTP_BUCKETS } from './durations';
import { MetricsRegistry } from './metrics-registry';

/** Any other is `_OTHER`, as OpenTelemetry has it: a caller may make up methods. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** The route of preflight requests, and what the documents' files match. */
const CATCH_ALL = '*';

/** Keys that the sketch holds for each that is shown: the more, the truer what it tells (docs/monitoring.md). */
const TRACKED_PER_SHOWN = 20;
const HALF_LIFE_SECONDS = 60;

/** Requests by route template, never by path; and the busiest tenants. */
@Injectable()
export class HttpMetrics implements OnModuleInit, OnApplicationShutdown {
  private unsubscribe: () => void = () => undefined;

  constructor(
    private readonly registry: MetricsRegistry,
    private readonly env: Env,
  ) {}

  onModuleInit(): void {
    const duration = new Histogram({
      name: 'http_server_request_duration_seconds',
      help: 'Time of a request, from its headers until its answer has left.',
      labelNames: ['http_request_method', 'http_route', 'http_response_status_code'],
      buckets: HTTP_BUCKETS,
      registers: [this.registry],
    });
    const shown = this.env.METRICS_BUSIEST_TENANTS;
    const tenants = new BusiestKeys(Math.max(shown * TRACKED_PER_SHOWN, 1), HALF_LIFE_SECONDS);
    this.registry.readGauge({
      name: 'tenant_requests_per_second',
      help: 'Requests per second of the busiest tenants, by id; half of it are those of the last minute.',
      labels: ['tenant'],
      read: () => tenants.top(shown).map(({ key, perSecond }) => [{ tenant: key }, perSecond]),
    });
    this.unsubscribe = requestDone.subscribe(({ method, route, status, seconds, tenantId }) => {
      duration.observe(
        {
          http_request_method: METHODS.has(method) ? method : '_OTHER',
          http_route: route === undefined || route === CATCH_ALL ? 'unmatched' : route,
          http_response_status_code: String(status),
        },
        seconds,
      );
      if (tenantId !== undefined && shown > 0) tenants.see(tenantId);
    });
  }

  onApplicationShutdown(): void {
    this.unsubscribe();
  }
}
