import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuditEventsRepository } from '../audit/audit-events.repository';
import { AuditLog } from '../audit/audit-log';
import { SignInAttemptsRepository } from '../auth/sign-in-attempts.repository';
import { SignInLimits } from '../auth/sign-in-limits';
import { SigningKeysRepository } from '../auth/signing-keys.repository';
import { SigningKeysService } from '../auth/signing-keys.service';
import { ErasuresRepository } from '../backups/erasures/erasures.repository';
import { ErasuresService } from '../backups/erasures/erasures.service';
import { ReceiptStore } from '../backups/erasures/receipt-store';
import { StartupError } from '../common/errors';
import { readKnownBackups } from '../config/backup-env';
import { ConfigModule } from '../config/config.module';
import { type Env, readEnv } from '../config/env';
import { DatabaseModule } from '../database/database.module';
import { keptLoginUrls } from '../database/embedded-database';
import type { DatabaseUrls } from '../database/pools';

@Module({})
class PlatformContext {}

/**
 * Runs what stands above tenants from the command line, with the logins and the SECRET_KEY that the application has, beside it.
 * @throws StartupError when there is no database yet, or something is not configured
 */
export async function withPlatform<Result>(
  work: (context: INestApplicationContext) => Promise<Result>,
): Promise<Result> {
  const env = readEnv();
  const backups = readKnownBackups();
  const context = await NestFactory.createApplicationContext(
    {
      module: PlatformContext,
      imports: [ConfigModule.forRoot(env), DatabaseModule.forRoot(urlsOf(env))],
      providers: [
        AuditEventsRepository,
        AuditLog,
        SigningKeysRepository,
        SigningKeysService,
        SignInAttemptsRepository,
        SignInLimits,
        ErasuresRepository,
        ErasuresService,
        ...(backups ? [{ provide: ReceiptStore, useFactory: () => ReceiptStore.open(backups) }] : []),
      ],
    },
    { logger: ['warn', 'error'], abortOnError: false },
  );
  try {
    return await work(context);
  } finally {
    await context.close();
  }
}

function urlsOf(env: Env): DatabaseUrls {
  const kept = env.POSTGRES_URL === undefined ? keptLoginUrls(env.DATA_DIR) : {};
  const app = env.POSTGRES_URL ?? kept.app;
  const platform = env.POSTGRES_PLATFORM_URL ?? kept.platform;
  if (app === undefined || platform === undefined)
    throw new StartupError(`Nothing has been started in ${env.DATA_DIR} yet. Set POSTGRES_URL, or DATA_DIR.`);
  return { app, platform };
}
