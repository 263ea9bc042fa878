import { Injectable } from '@nestjs/common';
import type { PlatformTx } from '../database/platform-db';

/** A tenant that a person is in. */
export interface AccountTenant {
  id: string;
  slug: string;
  name: string;
  userId: string;
}

@Injectable()
export class AccountTenantsRepository {
  /** By name, at most `limit`; without deleted ones. */
  async list(tx: PlatformTx, accountId: string, limit: number): Promise<AccountTenant[]> {
    const rows = await tx.membership.findMany({
      where: { userId: accountId, tenant: { deletedAt: null } },
      select: { id: true, tenant: { select: { id: true, slug: true, name: true } } },
      orderBy: [{ tenant: { nameKey: 'asc' } }, { tenantId: 'asc' }],
      take: limit,
    });
    return rows.map(({ id, tenant }) => ({ id: tenant.id, slug: tenant.slug, name: tenant.name, userId: id }));
  }
}
