import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { isUUID } from 'class-validator';
import type { NewAuditEvent } from '../../audit/audit-events.repository';
import { afterCursor, type Order, orderBy, rowsFor } from '../../common/keyset';
import { normalizeEmail } from '../../common/text';
import type { SqlQuery } from '../../database/long-transaction';
import type { PlatformTx } from '../../database/platform-db';
import type { ListErasuresQuery } from './erasure.dto';
import type { ErasureReceipt } from './erasure-receipt';

const columns = { id: true, erasedAt: true, receipt: true } satisfies Prisma.ErasureSelect;
export type ErasureRow = Prisma.ErasureGetPayload<{ select: typeof columns }>;

/** An account as an erasure must know it. */
export interface ErasedAccount {
  id: string;
  email: string;
  isAdministrator: boolean;
  /** From which it has signed in, as long as its sessions are kept. */
  addresses: string[];
}

const ACCOUNTS = `
  SELECT u.id, u.email, u.platform_role IS NOT NULL AS "isAdministrator",
    ARRAY(SELECT DISTINCT s.address FROM identity.sessions s WHERE s.user_id = u.id) AS addresses
  FROM identity.users u`;

/** What an erasure asks and writes, under the platform login. */
@Injectable()
export class ErasuresRepository {
  list(tx: PlatformTx, { subject, subjectId, cursor, limit }: ListErasuresQuery, order: Order): Promise<ErasureRow[]> {
    return tx.erasure.findMany({
      where: { ...(subject && { subject }), ...(subjectId && { subjectId }), AND: [afterCursor(order, cursor)] },
      orderBy: orderBy(order),
      take: rowsFor(limit),
      select: columns,
    });
  }

  /** Every one, by its id. */
  listAll(tx: PlatformTx): Promise<ErasureRow[]> {
    return tx.erasure.findMany({ orderBy: { id: 'asc' }, select: columns });
  }

  /** Of a tenant, by its slug or its id. */
  findTenant(tx: PlatformTx, name: string): Promise<{ id: string; slug: string } | null> {
    return tx.tenant.findFirst({
      where: isUUID(name) ? { id: name } : { slug: name },
      select: { id: true, slug: true },
    });
  }

  /** Of an account, by its e-mail address or its id. */
  findAccount(tx: PlatformTx, name: string): Promise<{ id: string; email: string } | null> {
    const where = isUUID(name) ? { id: name } : { email: normalizeEmail(name) };
    return tx.user.findUnique({ where, select: { id: true, email: true } });
  }

  async slugOf(query: SqlQuery, tenantId: string): Promise<string | undefined> {
    return (await query<{ slug: string }>('SELECT slug FROM app.tenants WHERE id = $1', [tenantId]))[0]?.slug;
  }

  /** The memberships of a tenant, or of an account. */
  memberships(query: SqlQuery, of: { tenantId: string } | { accountIds: readonly string[] }) {
    const [condition, value] =
      'tenantId' in of ? ['tenant_id = $1', of.tenantId] : ['user_id = ANY ($1)', of.accountIds];
    return query<{ id: string; accountId: string }>(
      `SELECT id, user_id AS "accountId" FROM app.memberships WHERE ${condition}`,
      [value],
    );
  }

  /** Locked: nobody signs in with it, changes it or adds it to a tenant until the transaction ends. */
  async lockAccount(query: SqlQuery, id: string): Promise<ErasedAccount | undefined> {
    return (await query<ErasedAccount>(`${ACCOUNTS} WHERE u.id = $1 FOR UPDATE`, [id]))[0];
  }

  /** Of these accounts those that are in no tenant and do not administer the platform; locked. */
  lockAccountsWithoutTenant(query: SqlQuery, ids: readonly string[]): Promise<ErasedAccount[]> {
    return query<ErasedAccount>(
      `${ACCOUNTS} WHERE u.id = ANY ($1) AND u.platform_role IS NULL
         AND NOT EXISTS (SELECT FROM app.memberships m WHERE m.user_id = u.id) ORDER BY u.id FOR UPDATE`,
      [ids],
    );
  }

  /** One at a time makes, disables or erases platform administrators. */
  async lockAdministrators(query: SqlQuery): Promise<void> {
    await query("SELECT pg_advisory_xact_lock(hashtext('tenantry:administrators'))");
  }

  async hasOtherAdministrator(query: SqlQuery, exceptId: string): Promise<boolean> {
    const [row] = await query<{ found: boolean }>(
      `SELECT EXISTS (SELECT FROM identity.users
         WHERE platform_role = 'administrator' AND status = 'active' AND id <> $1) AS found`,
      [exceptId],
    );
    return row?.found === true;
  }

  /** @returns how many there were */
  async removeAttempts(query: SqlQuery, keys: readonly string[]): Promise<number> {
    const sql = 'DELETE FROM identity.sign_in_attempts WHERE key = ANY ($1) RETURNING 1 AS removed';
    return (await query(sql, [keys])).length;
  }

  async insertEvent(query: SqlQuery, event: NewAuditEvent): Promise<void> {
    await query(
      `INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, actor_account_id,
         target_type, target_id, after, address, user_agent, request_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
      [
        event.tenantId,
        event.id,
        event.occurredAt,
        event.action,
        event.result,
        event.actorType,
        event.actorAccountId,
        event.targetType,
        event.targetId,
        event.after && JSON.stringify(event.after),
        event.address,
        event.userAgent,
        event.requestId,
      ],
    );
  }

  /** Known already: left as it is. */
  async insert(query: SqlQuery, receipt: ErasureReceipt, jws: string): Promise<void> {
    await query(
      `INSERT INTO ops.erasures (id, subject, subject_id, account_ids, erased_at, receipt)
       VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
      [receipt.id, receipt.subject, receipt.subjectId, receipt.accountIds, receipt.erasedAt, jws],
    );
  }
}
