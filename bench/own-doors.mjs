// Tenantry's way to the database as its modules make it, without the rest of it.
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { program } from './program.mjs';

const { ConfigModule } = program('config/config.module');
const { readEnv } = program('config/env');
const { DatabaseModule } = program('database/database.module');
const { newScope, within } = program('database/database-scope');
const { Pools } = program('database/pools');
const { TenantDb } = program('database/tenant-db');

/**
 * @param {{ app: string, platform: string }} urls
 * @param {Record<string, string>} [variables] of the environment; the defaults are used for the rest
 */
export async function openDoors(urls, variables = {}) {
  const env = readEnv({ NODE_ENV: 'test', ...variables });
  class DoorsModule {}
  Module({ imports: [ConfigModule.forRoot(env), DatabaseModule.forRoot(urls)] })(DoorsModule);
  const context = await NestFactory.createApplicationContext(DoorsModule, { logger: ['error', 'warn'] });
  const { app } = context.get(Pools);
  return {
    tenants: context.get(TenantDb),
    pool: app,
    /** Statements in one trip, all or none, of a tenant. */
    batch: (tenantId, statements) => within(newScope(tenantId), () => app.batch(statements)),
    close: () => context.close(),
  };
}
