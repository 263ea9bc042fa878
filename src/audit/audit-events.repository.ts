import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import { afterCursor, type Order, orderBy, rowsFor } from '../common/keyset';
import { PLATFORM_TENANT_ID } from '../common/id';
import type { PlatformTx } from '../database/platform-db';
import type { TenantTx } from '../database/tenant-db';
import type { ListAuditEventsQuery } from './audit-event.dto';

export type AuditEventRow = Prisma.AuditEventGetPayload<object>;

/** An event to write; `before` and `after` become JSON. */
export type NewAuditEvent = Omit<AuditEventRow, 'before' | 'after'> & {
  before: object | undefined;
  after: object | undefined;
};

@Injectable()
export class AuditEventsRepository {
  async insert(tx: Pick<TenantTx, 'auditEvent'>, event: NewAuditEvent): Promise<void> {
    const data = { ...event, before: jsonOf(event.before), after: jsonOf(event.after) };
    await tx.auditEvent.create({ data, select: { id: true } });
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

function jsonOf(value: object | undefined): Prisma.InputJsonValue | typeof Prisma.DbNull {
  return value ? (JSON.parse(JSON.stringify(value)) as Prisma.InputJsonValue) : Prisma.DbNull;
}
