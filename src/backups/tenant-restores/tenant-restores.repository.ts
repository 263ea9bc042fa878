import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { afterCursor, type Order, orderBy, rowsFor } from '../../common/keyset';
import type { PlatformTx } from '../../database/platform-db';
import type { ListTenantRestoresQuery } from './tenant-restore.dto';

export type TenantRestoreRow = Prisma.TenantRestoreGetPayload<object>;

/** What the platform login may see of restores; the backup login writes them (tenant-restore-records.ts). */
@Injectable()
export class TenantRestoresRepository {
  list(
    tx: PlatformTx,
    { status, tenantId, cursor, limit }: ListTenantRestoresQuery,
    order: Order,
  ): Promise<TenantRestoreRow[]> {
    return tx.tenantRestore.findMany({
      where: { ...(status && { status }), ...(tenantId && { tenantId }), AND: [afterCursor(order, cursor)] },
      orderBy: orderBy(order),
      take: rowsFor(limit),
    });
  }

  find(tx: PlatformTx, id: string): Promise<TenantRestoreRow | null> {
    return tx.tenantRestore.findUnique({ where: { id } });
  }
}
