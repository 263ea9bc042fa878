import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import { recordedChange, type Recording } from '../audit/audit-events.repository';
import { NotFoundError, PreconditionFailedError } from '../common/errors';
import type { Order } from '../common/keyset';
import { normalizeName } from '../common/text';
import { asConflict } from '../database/database-errors';
import type { PlatformTx } from '../database/platform-db';
import type { TenantDb, TenantTx } from '../database/tenant-db';
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

/** A tenant after a change. */
export function changedTenantRow(before: TenantRow, change: TenantChange, now: Date): TenantRow {
  const after = { ...before, ...change };
  return { ...after, nameKey: normalizeName(after.name), version: before.version + 1, updatedAt: now };
}

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
   * Changes a tenant that is as `before` still, in one round trip.
   * @throws NotFoundError when it has gone
   * @throws PreconditionFailedError when its version is another one
   */
  async update(db: TenantDb, before: TenantRow, after: TenantRow, recording: Recording): Promise<void> {
    const { id, slug, name, nameKey, status, version, updatedAt, deletedAt, purgeAfter } = after;
    const change = Prisma.sql`
      UPDATE app.tenants SET slug = ${slug}, name = ${name}, name_key = ${nameKey}, status = ${status}, version = ${version},
        updated_at = ${updatedAt}, deleted_at = ${deletedAt}, purge_after = ${purgeAfter}
      WHERE id = ${id} AND version = ${before.version}
      RETURNING id`;
    try {
      const [changed] = await db.write(id, [recordedChange(change, recording)]);
      if (changed!.length === 1) return;
    } catch (error) {
      throw asConflict(error, SLUG_TAKEN);
    }
    const now = await db.read(id, (tx) => this.find(tx, {}));
    throw now ? new PreconditionFailedError() : new NotFoundError('tenant');
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
