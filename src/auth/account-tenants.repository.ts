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
  list(tx: PlatformTx, accountId: string, limit: number): Promise<AccountTenant[]> {
    // Each tenant by its key: for a person in 2,000 of them PostgreSQL would rather walk past all tenants.
    return tx.$queryRaw<AccountTenant[]>`
      SELECT t.id, t.slug, t.name, m.id AS "userId"
      FROM (SELECT tenant_id, id FROM app.memberships WHERE user_id = ${accountId}::uuid) m
      CROSS JOIN LATERAL (SELECT * FROM app.tenants one WHERE one.id = m.tenant_id LIMIT 1) t
      WHERE t.deleted_at IS NULL ORDER BY t.name_key, t.id LIMIT ${limit}`;
  }
}
