import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { afterCursor, type Order, orderBy, rowsFor } from '../common/keyset';
import { PLATFORM_TENANT_ID } from '../common/id';
import type { PlatformTx } from '../database/platform-db';
import type { TenantTx } from '../database/tenant-db';
import type { ListAuditEventsQuery } from './audit-event.dto';

export type AuditEventRow = Prisma.AuditEventGetPayload<object>;

@Injectable()
export class AuditEventsRepository {
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
