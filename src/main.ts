import { tracing } from './tracing/tracing'; // first: it patches what the others load
import cluster from 'node:cluster';
import { Logger } from '@nestjs/common';
import { StartupError } from './common/errors';
import { keepMemorySmall } from './common/memory-settings';
import { readApplicationBackups } from './config/backup-env';
import { loadDotEnv } from './config/dot-env';
import { type Env, readEnv } from './config/env';
import { withArguments } from './config/server-arguments';
import { openDatabase } from './database/open-database';
import { AppLogger } from './http/app-logger';
import { ensureMetricsToken, removeInstanceFile, writeInstanceFile } from './monitoring/instance-file';
import type { Serving } from './serve';
import { welcome } from './welcome';
import { tellPrimary } from './workers/tell-primary';

/** A stop that takes longer than this, SHUTDOWN_DELAY_MS included, is cut short: orchestrators kill after 30 s as a rule. */
const STOP_TIMEOUT_MS = 25_000;

interface Running {
  stop(): Promise<void>;
}

async function start(): Promise<Running> {
  keepMemorySmall();
  loadDotEnv();
  const env = readEnv(withArguments(process.argv.slice(2)));
  const logger = new AppLogger(env, tracing);
  Logger.overrideLogger(logger); // what is told before there is an app, too
  return cluster.isWorker ? startWorker(env, logger) : startInstance(env, logger);
}

/**
 * The database, what serves it (this process, or WORKERS others), and what operators are told of it. Only what is needed is loaded:
 * a process that has others serve is a small one.
 */
async function startInstance(env: Env, logger: AppLogger): Promise<Running> {
  if (!readApplicationBackups() && env.NODE_ENV === 'production')
    logger.warn('No backups are taken: neither BACKUP_DIR nor BACKUP_S3_BUCKET is set (docs/backups.md).', 'Backups');
  const database = await openDatabase(env);
  const isEmbedded = database.dataDir !== undefined;
  const metricsToken = isEmbedded ? ensureMetricsToken(env) : undefined;
  let serving: Serving | undefined;
  const stop = async (): Promise<void> => {
    await serving?.stop();
    if (isEmbedded && serving) removeInstanceFile(env.DATA_DIR);
    await Promise.all([tracing?.stop(), database.stop()]);
  };
  try {
    if (env.WORKERS === 1) {
      const { serve } = await import('./serve.js');
      serving = await serve(env, database.urls, logger);
    } else {
      const { serveByWorkers } = await import('./workers/primary.js');
      const lose = (reason: StartupError): void => endBy(stop(), () => fail(reason));
      serving = await serveByWorkers(env, { urls: database.urls, metricsToken }, lose);
    }
    if (isEmbedded) writeInstanceFile(env.DATA_DIR, { metricsUrl: metricsUrlOf(serving), metricsToken });
    process.stdout.write(welcome(serving.url, env, database, serving.administrator));
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Its primary process has the database, and speaks with operators. */
async function startWorker(env: Env, logger: AppLogger): Promise<Running> {
  const { serveAsWorker } = await import('./workers/worker.js');
  const serving = await serveAsWorker(env, logger);
  return { stop: () => Promise.all([serving.stop(), tracing?.stop()]).then(() => undefined) };
}

/** Where `npm run status` finds the metrics: at the API's port, or at their own. */
function metricsUrlOf({ url: apiUrl, metricsPort }: Serving): string {
  const url = new URL(apiUrl);
  if (metricsPort !== undefined) url.port = String(metricsPort);
  return url.origin;
}

/** Stops once, however often it is asked to; what is under way may finish, the start itself included. */
function stopOnSignal(starting: Promise<Running>): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      endBy(
        starting.then((running) => running.stop()),
        () => process.exit(0),
      );
    });
  }
}

/** Ends the process when it has stopped, and when that takes too long. */
function endBy(stopped: Promise<void>, end: () => void): void {
  setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
  stopped.then(end, fail);
}

function fail(error: unknown): void {
  const reason = reasonOf(error);
  if (cluster.isWorker) {
    void tellPrimary({ kind: 'failed', reason }).then(() => process.exit(1));
  } else {
    process.stderr.write(`${reason}\n`);
    process.exit(1);
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof StartupError) return error.message;
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE')
    return `${(error as Error).message}\nSet PORT to a free one.`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// A signal may come with the first step of the start, so the handlers are there before.
const starting = Promise.resolve().then(start);
stopOnSignal(starting);
starting.catch(fail);
