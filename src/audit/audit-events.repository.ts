import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import { afterCursor, type Order, orderBy, rowsFor } from '../common/keyset';
import { PLATFORM_TENANT_ID } from '../common/id';
import type { PlatformTx } from '../database/platform-db';
import type { TenantTx } from '../database/tenant-db';
import type { Deferring } from '../database/transaction';
import type { ListAuditEventsQuery } from './audit-event.dto';

export type AuditEventRow = Prisma.AuditEventGetPayload<object>;

/** An event to write; `before` and `after` become JSON. */
export type NewAuditEvent = Omit<AuditEventRow, 'before' | 'after'> & {
  before: object | undefined;
  after: object | undefined;
};

/** The statement that writes an event; where a condition is given, only if it holds. */
export type Recording = (condition?: Prisma.Sql) => Prisma.Sql;

/**
 * A change and its event in one statement; where the change finds nothing to change, there is no event.
 * @param change returns the `id` of what it has changed, and so does the statement
 */
export function recordedChange(change: Prisma.Sql, recording: Recording): Prisma.Sql {
  return Prisma.sql`
    WITH changed AS (${change}), recorded AS (${recording(Prisma.sql`EXISTS (SELECT FROM changed)`)})
    SELECT id FROM changed`;
}

@Injectable()
export class AuditEventsRepository {
  /** It is written when the transaction commits, or not at all. */
  insert(tx: Deferring, event: NewAuditEvent): void {
    tx.$atEnd(this.insertion(event));
  }

  insertion(event: NewAuditEvent, condition = Prisma.sql`true`): Prisma.Sql {
    const { tenantId, id, occurredAt, action, result, actorType, actorAccountId, actorUserId } = event;
    const { targetType, targetId, before, after, address, userAgent, requestId } = event;
    return Prisma.sql`
      INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, actor_account_id, actor_user_id,
        target_type, target_id, before, after, address, user_agent, request_id)
      SELECT ${tenantId}, ${id}, ${occurredAt}, ${action}, ${result}, ${actorType}, ${actorAccountId}, ${actorUserId},
        ${targetType}, ${targetId}, ${jsonOf(before)}, ${jsonOf(after)}, ${address}, ${userAgent}, ${requestId}
      WHERE ${condition}`;
  }

  list(tx: TenantTx, query: ListAuditEventsQuery, order: Order, accessible: object): Promise<AuditEventRow[]> {
    return this.findMany(tx, tx.tenantId, query, order, accessible);
  }

  listForPlatform(tx: PlatformTx, query: ListAuditEventsQuery, order: Order): Promise<AuditEventRow[]> {
    return this.findMany(tx, PLATFORM_TENANT_ID, query, order, {});
  }

  private findMany(
    tx: Pick<TenantTx, 'auditEvent'>,
    tenantId: string,
    { action, result, actorUserId, targetId, from, to, cursor, limit }: ListAuditEventsQuery,
    order: Order,
    accessible: object,
  ): Promise<AuditEventRow[]> {
    return tx.auditEvent.findMany({
      where: {
        tenantId,
        ...(action && { action }),
        ...(result && { result }),
        ...(actorUserId && { actorUserId }),
        ...(targetId && { targetId }),
        ...((from || to) && { occurredAt: { ...(from && { gte: new Date(from) }), ...(to && { lt: new Date(to) }) } }),
        AND: [accessible, afterCursor(order, cursor)],
      },
      orderBy: orderBy(order),
      take: rowsFor(limit),
    });
  }
}

function jsonOf(value: object | undefined): string | null {
  return value ? JSON.stringify(value) : null;
}
