import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { afterCursor, type Order, orderBy, rowsFor } from '../common/keyset';
import type { PlatformTx } from '../database/platform-db';
import type { ListSessionsQuery } from './session.dto';

const sessionColumns = {
  id: true,
  address: true,
  userAgent: true,
  createdAt: true,
  lastUsedAt: true,
  expiresAt: true,
} satisfies Prisma.SessionSelect;

export type SessionRow = Prisma.SessionGetPayload<{ select: typeof sessionColumns }>;

export type NewSession = Pick<SessionRow, 'id' | 'address' | 'userAgent' | 'createdAt' | 'expiresAt'> & {
  accountId: string;
};

/** Why a session is over before its time. */
export type EndReason =
  'signed_out' | 'ended_by_owner' | 'password_changed' | 'password_reset' | 'account_disabled' | 'reuse_detected';

const alive = (now: Date) => ({ endedAt: null, expiresAt: { gt: now } }) satisfies Prisma.SessionWhereInput;

@Injectable()
export class SessionsRepository {
  async create(tx: PlatformTx, { accountId, ...session }: NewSession): Promise<void> {
    await tx.session.create({
      data: { ...session, userId: accountId, lastUsedAt: session.createdAt },
      select: { id: true },
    });
  }

  listAlive(
    tx: PlatformTx,
    accountId: string,
    query: ListSessionsQuery,
    order: Order,
    now: Date,
  ): Promise<SessionRow[]> {
    return tx.session.findMany({
      where: { userId: accountId, ...alive(now), AND: [afterCursor(order, query.cursor)] },
      select: sessionColumns,
      orderBy: orderBy(order),
      take: rowsFor(query.limit),
    });
  }

  async touch(tx: PlatformTx, id: string, now: Date): Promise<void> {
    await tx.session.update({ where: { id }, data: { lastUsedAt: now }, select: { id: true } });
  }

  /** @returns whether there was such a live session of the account */
  async end(tx: PlatformTx, accountId: string, id: string, reason: EndReason, now: Date): Promise<boolean> {
    const { count } = await tx.session.updateMany({
      where: { id, userId: accountId, ...alive(now) },
      data: { endedAt: now, endReason: reason },
    });
    return count === 1;
  }

  /**
   * Ends every live session of the account, but the one to spare.
   * @returns the ids of those that it ended
   */
  async endAll(tx: PlatformTx, accountId: string, reason: EndReason, now: Date, spareId?: string): Promise<string[]> {
    const rows = await tx.session.updateManyAndReturn({
      where: { userId: accountId, ...alive(now), ...(spareId && { id: { not: spareId } }) },
      data: { endedAt: now, endReason: reason },
      select: { id: true },
    });
    return rows.map((row) => row.id);
  }
}
