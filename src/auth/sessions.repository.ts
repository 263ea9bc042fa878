import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import { recordedChange, type Recording } from '../audit/audit-events.repository';
import { afterCursor, type Order, orderBy, rowsFor } from '../common/keyset';
import type { PlatformDb, PlatformTx } from '../database/platform-db';
import { networkOf } from './network';
import type { ListSessionsQuery } from './session.dto';
import type { VerifiedPerson } from './sign-in.service';

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
  /**
   * Starts a session with its first refresh token, in one round trip, and gives the try to sign in back.
   * @param recording of the session that has started
   * @returns whether it has: not when the account was disabled or its password changed since it was verified
   */
  async start(
    db: PlatformDb,
    session: NewSession,
    refreshTokenHash: Buffer<ArrayBuffer>,
    { passwordHash, rehash, attempt }: VerifiedPerson,
    recording: Recording,
  ): Promise<boolean> {
    const { id, accountId, address, userAgent, createdAt, expiresAt } = session;
    const hasStarted = Prisma.sql`EXISTS (SELECT FROM started)`;
    const rehashed = Prisma.sql`
      rehashed AS (UPDATE identity.credentials SET password_hash = ${rehash} WHERE user_id = ${accountId} AND ${hasStarted}),`;
    const [, started] = await db.write([
      // Who changes the account or its password locks it FOR UPDATE: what is asked after this stays so until the session has begun.
      Prisma.sql`SELECT FROM identity.users WHERE id = ${accountId} FOR SHARE`,
      Prisma.sql`
        WITH started AS (
          INSERT INTO identity.sessions (id, user_id, address, network, user_agent, created_at, last_used_at, expires_at)
          SELECT ${id}, u.id, ${address}, ${networkOf(address)}, ${userAgent}, ${createdAt}, ${createdAt}, ${expiresAt}
          FROM identity.users u
          JOIN identity.credentials c ON c.user_id = u.id
          WHERE u.id = ${accountId} AND u.status = 'active' AND c.password_hash = ${passwordHash}
          RETURNING id
        ), token AS (
          INSERT INTO identity.refresh_tokens (token_hash, session_id, created_at)
          SELECT ${refreshTokenHash}, id, ${createdAt} FROM started
        ), ${rehash === undefined ? Prisma.empty : rehashed}
        recorded AS (${recording(hasStarted)})
        SELECT id FROM started`,
      ...attempt.givingBack(),
    ]);
    return started!.length === 1;
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

  /** Done when the transaction commits. */
  touch(tx: PlatformTx, id: string, now: Date): void {
    tx.$atEnd(Prisma.sql`UPDATE identity.sessions SET last_used_at = ${now} WHERE id = ${id}`);
  }

  /** Done when the transaction commits. */
  endAtEnd(tx: PlatformTx, id: string, reason: EndReason, now: Date): void {
    tx.$atEnd(Prisma.sql`UPDATE identity.sessions SET ended_at = ${now}, end_reason = ${reason} WHERE id = ${id}`);
  }

  /**
   * Ends one session, in one round trip.
   * @param recording of the session that has ended
   * @returns whether there was such a live session of the account
   */
  async end(
    db: PlatformDb,
    accountId: string,
    id: string,
    reason: EndReason,
    now: Date,
    recording: Recording,
  ): Promise<boolean> {
    const ending = Prisma.sql`
      UPDATE identity.sessions SET ended_at = ${now}, end_reason = ${reason}
      WHERE id = ${id} AND user_id = ${accountId} AND ended_at IS NULL AND expires_at > ${now}
      RETURNING id`;
    const [ended] = await db.write([recordedChange(ending, recording)]);
    return ended!.length === 1;
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
