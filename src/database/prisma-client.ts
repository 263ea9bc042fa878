import { Logger } from '@nestjs/common';
import { createCaslExtension } from '@casl/prisma';
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '@prisma/client';
import type { Env } from '../config/env';
import type { BoundedPool } from './bounded-pool';
import { timedOperations } from './operation-timing';

const logger = new Logger('Database');

/** A Prisma client over our own pool, with CASL's cure for empty OR conditions (spike/README.md). */
export function createPrismaClient(pool: BoundedPool, env: Env) {
  const adapter = new PrismaPg(pool, {
    onConnectionError: (error) => logger.warn(`A connection in use was lost: ${error.message}`),
  });
  return new PrismaClient({
    adapter,
    errorFormat: 'minimal', // the others quote the query's values
    transactionOptions: { maxWait: env.POSTGRES_CONNECT_TIMEOUT_MS, timeout: env.POSTGRES_STATEMENT_TIMEOUT_MS },
  })
    .$extends(timedOperations(pool.name))
    .$extends(createCaslExtension());
}

export type TenantryClient = ReturnType<typeof createPrismaClient>;
export type TenantryTransaction = Parameters<Parameters<TenantryClient['$transaction']>[0]>[0];
