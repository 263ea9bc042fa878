import { ConsoleLogger } from '@nestjs/common';
import { StartupError } from './common/errors';
import { Env, readEnv } from './config/env';
import { createApp } from './create-app';
import { openDatabase } from './database/open-database';
import { BootstrapAdministrator } from './auth/bootstrap-administrator';
import { welcome } from './welcome';

/** A stop that takes longer than this is cut short: orchestrators kill after 30 s as a rule. */
const STOP_TIMEOUT_MS = 25_000;

async function main(): Promise<void> {
  const env = readEnv();
  const logger = new ConsoleLogger({ json: env.NODE_ENV === 'production', logLevels: levelsOf(env) });
  const database = await openDatabase(env);
  try {
    const app = await createApp(env, database.urls, logger);
    const administrator = await app.get(BootstrapAdministrator).ensureAdministrator();
    stopOnSignal(async () => {
      await app.close();
      await database.stop();
    });
    await app.listen(env.PORT, env.HOST);
    process.stdout.write(welcome(await app.getUrl(), env, database, administrator));
  } catch (error) {
    await database.stop();
    throw error;
  }
}

/** Stops once, however often it is asked to; what is under way may finish. */
function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) return;
      stopping = true;
      setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
      stop().then(() => process.exit(0), fail);
    });
  }
}

function levelsOf(env: Env) {
  const levels = ['error', 'warn', 'log', 'debug'] as const;
  return levels.slice(0, levels.indexOf(env.LOG_LEVEL) + 1);
}

function fail(error: unknown): never {
  process.stderr.write(`${reasonOf(error)}\n`);
  process.exit(1);
}

function reasonOf(error: unknown): string {
  if (error instanceof StartupError) return error.message;
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return `${(error as Error).message}\nSet PORT to a free one.`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

main().catch(fail);
