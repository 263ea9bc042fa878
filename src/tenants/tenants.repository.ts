import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { NotFoundError, PreconditionFailedError } from '../common/errors';
import type { Order } from '../common/keyset';
import { normalizeName } from '../common/text';
import { asConflict } from '../database/database-errors';
import type { PlatformTx } from '../database/platform-db';
import type { TenantTx } from '../database/tenant-db';
import type { ListTenantsQuery } from './tenant.dto';
import { tenantsStatement } from './tenant-statements.repository';

const tenantColumns = {
  id: true,
  slug: true,
  name: true,
  nameKey: true,
  status: true,
  version: true,
  createdAt: true,
  updatedAt: true,
  deletedAt: true,
  purgeAfter: true,
} satisfies Prisma.TenantSelect;

export type TenantRow = Prisma.TenantGetPayload<{ select: typeof tenantColumns }>;
export type TenantChange = Partial<Pick<TenantRow, 'name' | 'slug' | 'status' | 'deletedAt' | 'purgeAfter'>>;

const SLUG_TAKEN = {
  tenants_slug_key: { code: 'slug_taken', pointer: '/slug', message: 'Another tenant has this slug.' },
};

@Injectable()
export class TenantsRepository {
  async create(tx: TenantTx, tenant: { name: string; slug: string }): Promise<TenantRow> {
    try {
      return await tx.tenant.create({
        data: { id: tx.tenantId, name: tenant.name, nameKey: normalizeName(tenant.name), slug: tenant.slug },
        select: tenantColumns,
      });
    } catch (error) {
      throw asConflict(error, SLUG_TAKEN);
    }
  }

  find(tx: TenantTx, accessible: object): Promise<TenantRow | null> {
    return tx.tenant.findFirst({ where: { id: tx.tenantId, AND: [accessible] }, select: tenantColumns });
  }

  /** @param accountId whose tenants; undefined: all there are */
  list(tx: PlatformTx, query: ListTenantsQuery, order: Order, accountId: string | undefined): Promise<TenantRow[]> {
    return tx.$queryRaw<TenantRow[]>(tenantsStatement(query, order, accountId));
  }

  /**
   * @throws NotFoundError when it has gone
   * @throws PreconditionFailedError when its version is not `version` any more
   */
  async update(tx: TenantTx, version: number, change: TenantChange, now: Date): Promise<TenantRow> {
    try {
      const { count } = await tx.tenant.updateMany({
        where: { id: tx.tenantId, version },
        data: {
          ...change,
          ...(change.name !== undefined && { nameKey: normalizeName(change.name) }),
          version: { increment: 1 },
          updatedAt: now,
        },
      });
      const row = await this.find(tx, {});
      if (!row) throw new NotFoundError('tenant');
      if (count === 0) throw new PreconditionFailedError();
      return row;
    } catch (error) {
      throw asConflict(error, SLUG_TAKEN);
    }
  }

  /** The ids of the tenants whose time to be restored is over, the oldest first. */
  async listExpired(tx: PlatformTx, now: Date, limit: number): Promise<string[]> {
    const rows = await tx.tenant.findMany({
      where: { purgeAfter: { lte: now } },
      orderBy: { purgeAfter: 'asc' },
      take: limit,
      select: { id: true },
    });
    return rows.map(({ id }) => id);
  }

  /** Removes the tenant with all that it owns, if its time is over. @returns whether it did */
  async purge(tx: TenantTx, now: Date): Promise<boolean> {
    // What others refer to goes first: a role cannot go while somebody holds it.
    await tx.membershipRole.deleteMany({ where: { tenantId: tx.tenantId, tenant: { purgeAfter: { lte: now } } } });
    const { count } = await tx.tenant.deleteMany({ where: { id: tx.tenantId, purgeAfter: { lte: now } } });
    return count === 1;
  }
}
