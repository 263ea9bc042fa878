import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { isUUID } from 'class-validator';
import { asDomainError } from './database-errors';
import type { TenantryTransaction } from './prisma-client';
import { PrismaService } from './prisma.service';

/** What the app login may touch. */
type TenantModels =
  'tenant' | 'membership' | 'role' | 'rolePermission' | 'membershipRole' | 'permission' | 'auditEvent';

declare const tenantTx: unique symbol;

/**
 * A transaction that belongs to one tenant. Only TenantDb makes one, so plain Prisma in its place does not compile.
 * Each query names `tx.tenantId` as well: row-level security is the floor, not the filter (docs/tenancy.md).
 */
export type TenantTx = Pick<TenantryTransaction, TenantModels | '$queryRaw' | '$executeRaw'> & {
  readonly tenantId: string;
  readonly [tenantTx]: true;
};

/** The door to what tenants own. */
@Injectable()
export class TenantDb {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Runs `work` in one transaction in which PostgreSQL shows and takes rows of `tenantId` only.
   * Slow work (hashing, files, other servers) stays outside: a transaction ends after POSTGRES_STATEMENT_TIMEOUT_MS.
   * @throws UnavailableError when the database can't be reached in time
   */
  async run<Result>(
    tenantId: string,
    work: (tx: TenantTx) => Promise<Result>,
    options?: { isolationLevel?: Prisma.TransactionIsolationLevel },
  ): Promise<Result> {
    // The id becomes part of a statement below: SET takes no parameters.
    if (!isUUID(tenantId)) throw new TypeError('a tenant id must be a UUID');
    try {
      return await this.prisma.app.$transaction(async (tx) => {
        // SET LOCAL, not set_config(): only the statement reaches the workers of a Citus cluster. It ends with the transaction.
        await tx.$executeRawUnsafe(`SET LOCAL app.tenant_id = '${tenantId}'`);
        return work(forTenant(tx, tenantId));
      }, options);
    } catch (error) {
      throw asDomainError(error);
    }
  }
}

function forTenant(tx: TenantryTransaction, tenantId: string): TenantTx {
  return Object.create(tx, { tenantId: { value: tenantId, enumerable: true } }) as TenantTx;
}
