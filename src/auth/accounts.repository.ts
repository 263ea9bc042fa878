import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { newId } from '../common/id';
import { afterCursor, type Order, orderBy, rowsFor } from '../common/keyset';
import type { PlatformTx } from '../database/platform-db';
import type { ListAccountsQuery } from './account.dto';

const accountColumns = {
  id: true,
  email: true,
  name: true,
  status: true,
  platformRole: true,
  version: true,
  createdAt: true,
  updatedAt: true,
} satisfies Prisma.UserSelect;

export type AccountRow = Prisma.UserGetPayload<{ select: typeof accountColumns }>;

export const ADMINISTRATOR = 'administrator';

@Injectable()
export class AccountsRepository {
  list(tx: PlatformTx, { email, status, cursor, limit }: ListAccountsQuery, order: Order): Promise<AccountRow[]> {
    return tx.user.findMany({
      where: { ...(email && { email }), ...(status && { status }), AND: [afterCursor(order, cursor)] },
      select: accountColumns,
      orderBy: orderBy(order),
      take: rowsFor(limit),
    });
  }

  find(tx: PlatformTx, id: string): Promise<AccountRow | null> {
    return tx.user.findUnique({ where: { id }, select: accountColumns });
  }

  findByEmail(tx: PlatformTx, email: string): Promise<AccountRow | null> {
    return tx.user.findUnique({ where: { email }, select: accountColumns });
  }

  /** Waits for sign-ins that are under way, and holds up new ones until the transaction ends. */
  async lockForUpdate(tx: PlatformTx, id: string): Promise<void> {
    await tx.$queryRaw`SELECT id FROM identity.users WHERE id = ${id}::uuid FOR UPDATE`;
  }

  /** One at a time makes or disables platform administrators. */
  async lockAdministrators(tx: PlatformTx): Promise<void> {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('tenantry:administrators'))`;
  }

  countAdministrators(tx: PlatformTx, where: { status?: string; exceptId?: string } = {}): Promise<number> {
    const { status, exceptId } = where;
    return tx.user.count({
      where: { platformRole: ADMINISTRATOR, ...(status && { status }), ...(exceptId && { id: { not: exceptId } }) },
    });
  }

  create(
    tx: PlatformTx,
    account: { email: string; name: string; platformRole: string | null },
    now: Date,
  ): Promise<AccountRow> {
    return tx.user.create({
      data: { id: newId(), ...account, createdAt: now, updatedAt: now },
      select: accountColumns,
    });
  }

  update(
    tx: PlatformTx,
    id: string,
    change: { name?: string | undefined; status?: string | undefined; platformRole?: string },
    now: Date,
  ): Promise<AccountRow> {
    return tx.user.update({
      where: { id },
      data: {
        ...(change.name !== undefined && { name: change.name }),
        ...(change.status !== undefined && { status: change.status }),
        ...(change.platformRole !== undefined && { platformRole: change.platformRole }),
        version: { increment: 1 },
        updatedAt: now,
      },
      select: accountColumns,
    });
  }

  async passwordHashOf(tx: PlatformTx, accountId: string): Promise<string | undefined> {
    const row = await tx.credential.findUnique({ where: { userId: accountId }, select: { passwordHash: true } });
    return row?.passwordHash;
  }

  async setPasswordHash(tx: PlatformTx, accountId: string, passwordHash: string, now: Date): Promise<void> {
    await tx.credential.upsert({
      where: { userId: accountId },
      create: { userId: accountId, passwordHash, changedAt: now },
      update: { passwordHash, changedAt: now },
      select: { userId: true },
    });
  }
}
