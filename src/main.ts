import { tracing } from './tracing/tracing'; // first: it patches what the others load
import { Logger } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BootstrapAdministrator } from './auth/bootstrap-administrator';
import { StartupError } from './common/errors';
import { readApplicationBackups } from './config/backup-env';
import { loadDotEnv } from './config/dot-env';
import { readEnv } from './config/env';
import { createApp } from './create-app';
import { openDatabase } from './database/open-database';
import { AppLogger } from './http/app-logger';
import { Lifecycle } from './http/lifecycle';
import { ensureMetricsToken, removeInstanceFile, writeInstanceFile } from './monitoring/instance-file';
import { MetricsServer } from './monitoring/metrics-server';
import { welcome } from './welcome';

/** A stop that takes longer than this, SHUTDOWN_DELAY_MS included, is cut short: orchestrators kill after 30 s as a rule. */
const STOP_TIMEOUT_MS = 25_000;

interface Running {
  stop(): Promise<void>;
}

async function start(): Promise<Running> {
  loadDotEnv();
  const env = readEnv();
  const logger = new AppLogger(env, tracing);
  Logger.overrideLogger(logger); // what is told before there is an app, too
  const backups = readApplicationBackups();
  if (!backups && env.NODE_ENV === 'production')
    logger.warn('No backups are taken: neither BACKUP_DIR nor BACKUP_S3_BUCKET is set (docs/backups.md).', 'Backups');
  const database = await openDatabase(env);
  const isEmbedded = database.dataDir !== undefined;
  const metricsToken = isEmbedded ? ensureMetricsToken(env) : undefined;
  let app: NestFastifyApplication | undefined;
  let isServing = false;
  const stop = async (): Promise<void> => {
    if (isServing) await app?.get(Lifecycle).leave();
    if (isEmbedded && isServing) removeInstanceFile(env.DATA_DIR);
    await app?.close();
    await Promise.all([tracing?.stop(), database.stop()]);
  };
  try {
    app = await createApp(env, database.urls, logger, tracing && [tracing.handlerSpans], backups);
    const administrator = await app.get(BootstrapAdministrator).ensureAdministrator();
    await app.listen(env.PORT, env.HOST);
    isServing = true;
    if (isEmbedded) writeInstanceFile(env.DATA_DIR, { metricsUrl: await metricsUrlOf(app), metricsToken });
    process.stdout.write(welcome(await app.getUrl(), env, database, administrator));
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Where `npm run status` finds the metrics: at the API's port, or at their own. */
async function metricsUrlOf(app: NestFastifyApplication): Promise<string> {
  const url = new URL(await app.getUrl());
  const { port } = app.get(MetricsServer);
  if (port !== undefined) url.port = String(port);
  return url.origin;
}

/** Stops once, however often it is asked to; what is under way may finish, the start itself included. */
function stopOnSignal(starting: Promise<Running>): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
      starting.then((running) => running.stop()).then(() => process.exit(0), fail);
    });
  }
}

function fail(error: unknown): never {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exit(1);
}

function reasonOf(error: unknown): string {
  if (error instanceof StartupError) return error.message;
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
    return `${(error as Error).message}\nSet PORT to a free one.`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

const starting = start();
stopOnSignal(starting);
starting.catch(fail);
