import type { LoggerService, NestInterceptor } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { ActorsService } from './access/actors.service';
import { AppModule } from './app.module';
import type { BackupEnv } from './config/backup-env';
import type { Env } from './config/env';
import { assertRestrictedLogins } from './database/login-check';
import type { DatabaseUrls } from './database/pools';
import { configureApp, createAdapter } from './http/configure-app';
import { settleRights } from './http/settled-rights';
import { serveDocs } from './openapi';

/**
 * Tenantry on a migrated database, ready to listen. main.ts, the tests and the benchmark all start it here.
 * @param interceptors further ones, around each handler
 * @param backups undefined: the application has nothing to do with them
 * @throws StartupError when a login could get round row-level security, or METRICS_PORT is taken
 */
export async function createApp(
  env: Env,
  urls: DatabaseUrls,
  logger: LoggerService | false,
  interceptors: NestInterceptor[] = [],
  backups?: BackupEnv,
): Promise<NestFastifyApplication> {
  await assertRestrictedLogins(urls, env);
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot(env, urls, backups),
    createAdapter(env),
    {
      logger,
      abortOnError: false,
      bodyParser: false, // http/json-body.ts takes bodies
      forceCloseConnections: false,
    },
  );
  try {
    app.useGlobalInterceptors(...interceptors);
    await configureApp(app, env);
    settleRights(app.getHttpAdapter().getInstance(), app.get(ActorsService, { strict: false }));
    await serveDocs(app, env);
    return await app.init();
  } catch (error) {
    await app.close(); // what it has opened so far, connections above all
    throw error;
  }
}
