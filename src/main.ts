import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { BootstrapAdministrator } from './auth/bootstrap-administrator';
import { StartupError } from './common/errors';
import { loadDotEnv } from './config/dot-env';
import { readEnv } from './config/env';
import { createApp } from './create-app';
import { openDatabase } from './database/open-database';
import { AppLogger } from './http/app-logger';
import { Lifecycle } from './http/lifecycle';
import { welcome } from './welcome';

/** A stop that takes longer than this, SHUTDOWN_DELAY_MS included, is cut short: orchestrators kill after 30 s as a rule. */
const STOP_TIMEOUT_MS = 25_000;

interface Running {
  stop(): Promise<void>;
}

async function start(): Promise<Running> {
  loadDotEnv();
  const env = readEnv();
  const database = await openDatabase(env);
  let app: NestFastifyApplication | undefined;
  let isServing = false;
  const stop = async (): Promise<void> => {
    if (isServing) await app?.get(Lifecycle).leave();
    await app?.close();
    await database.stop();
  };
  try {
    app = await createApp(env, database.urls, new AppLogger(env));
    const administrator = await app.get(BootstrapAdministrator).ensureAdministrator();
    await app.listen(env.PORT, env.HOST);
    isServing = true;
    process.stdout.write(welcome(await app.getUrl(), env, database, administrator));
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
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
