import type { LoggerService } from '@nestjs/common';
import { type BootstrappedAdministrator, BootstrapAdministrator } from './auth/bootstrap-administrator';
import { collectGarbageOfStart } from './common/memory-settings';
import { readApplicationBackups } from './config/backup-env';
import type { Env } from './config/env';
import { createApp } from './create-app';
import type { DatabaseUrls } from './database/pools';
import { Lifecycle } from './http/lifecycle';
import { MetricsServer } from './monitoring/metrics-server';
import { MetricsService } from './monitoring/metrics.service';
import { tracing } from './tracing/tracing';

/** Tenantry, listening. */
export interface Serving {
  /** Of the API. */
  url: string;
  /** Where METRICS_PORT has led; undefined: the metrics are at the API's port, or nowhere. */
  metricsPort: number | undefined;
  /** Undefined: there was one before. */
  administrator: BootstrappedAdministrator | undefined;
  /** Says that it is not ready, serves on for SHUTDOWN_DELAY_MS, finishes what is under way, closes every connection. */
  stop(): Promise<void>;
}

/** What this process knows of itself, beside what it serves. */
export interface ServingProcess extends Serving {
  metrics: MetricsService;
}

/**
 * Serves a migrated database in this process.
 * @throws StartupError as createApp(), and when BOOTSTRAP_ADMIN_PASSWORD is against the policy
 * @throws Error EADDRINUSE when PORT is taken
 */
export async function serve(env: Env, urls: DatabaseUrls, logger: LoggerService): Promise<ServingProcess> {
  const app = await createApp(env, urls, logger, tracing && [tracing.handlerSpans], readApplicationBackups());
  try {
    const administrator = await app.get(BootstrapAdministrator).ensureAdministrator();
    await app.listen(env.PORT, env.HOST);
    collectGarbageOfStart();
    return {
      url: await app.getUrl(),
      metricsPort: app.get(MetricsServer).port,
      administrator,
      metrics: app.get(MetricsService),
      stop: async () => {
        await app.get(Lifecycle).leave();
        await app.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}
