import type { LoggerService } from '@nestjs/common';
import type { Env } from '../config/env';
import type { MetricsService } from '../monitoring/metrics.service';
import { serve, type Serving } from '../serve';
import type { Assignment, ToWorker } from './messages';
import { takeShares } from './pool-shares';
import { tellPrimary } from './tell-primary';

/**
 * Serves what the primary process assigns to this one, and tells it how that goes.
 * @throws StartupError and others as serve()
 */
export async function serveAsWorker(env: Env, logger: LoggerService): Promise<Serving> {
  const { urls, metricsToken } = await assignment();
  env.METRICS_TOKEN = metricsToken ?? env.METRICS_TOKEN;
  takeShares(env);
  const serving = await serve(env, urls, logger);
  shareMetrics(serving.metrics);
  await tellPrimary({ kind: 'serving', url: serving.url, administrator: serving.administrator });
  return serving;
}

function assignment(): Promise<Assignment> {
  return new Promise((resolve) => {
    const take = (message: ToWorker): void => {
      if (message.kind !== 'serve') return;
      process.off('message', take);
      resolve(message);
    };
    process.on('message', take);
  });
}

/** Answers the primary for this worker, and has whoever scrapes this worker answered by the primary, which knows all. */
function shareMetrics(metrics: MetricsService): void {
  const scrapes = new Map<number, (text: string | undefined) => void>();
  let scraped = 0;
  process.on('message', (message: ToWorker) => {
    if (message.kind === 'metrics') scrapes.get(message.id)?.(message.text);
    if (message.kind === 'collect') void collect(metrics, message.id, message.shared);
  });
  metrics.readThrough(async () => {
    const id = (scraped += 1);
    const text = await new Promise<string | undefined>((resolve) => {
      scrapes.set(id, resolve);
      void tellPrimary({ kind: 'readMetrics', id });
    });
    scrapes.delete(id);
    if (text === undefined) throw new Error('The metrics of the instance cannot be read.');
    return text;
  });
}

async function collect(metrics: MetricsService, id: number, shared: boolean): Promise<void> {
  const [own, ofAll] = await Promise.all([metrics.readOwn(), shared ? metrics.readShared() : []]);
  await tellPrimary({ kind: 'collected', id, own, shared: ofAll });
}
