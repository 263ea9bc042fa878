import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import type { PlatformTx } from '../database/platform-db';

/** A refresh token with the session that it continues. */
export interface RefreshTokenRow {
  usedAt: Date | null;
  sessionId: string;
  accountId: string;
  /** Neither ended nor expired, and its person is not disabled. */
  isAlive: boolean;
}

@Injectable()
export class RefreshTokensRepository {
  /** Done when the transaction commits. */
  create(tx: PlatformTx, sessionId: string, tokenHash: Buffer<ArrayBuffer>, now: Date): void {
    tx.$atEnd(Prisma.sql`
      INSERT INTO identity.refresh_tokens (token_hash, session_id, created_at) VALUES (${tokenHash}, ${sessionId}, ${now})`);
  }

  /** Locks the token and its session until the transaction ends: two who come with the same token come one after the other. */
  async findForUse(tx: PlatformTx, tokenHash: Buffer<ArrayBuffer>, now: Date): Promise<RefreshTokenRow | undefined> {
    const [row] = await tx.$queryRaw<RefreshTokenRow[]>`
      SELECT t.used_at AS "usedAt", s.id AS "sessionId", s.user_id AS "accountId",
        s.ended_at IS NULL AND s.expires_at > ${now} AND u.status = 'active' AS "isAlive"
      FROM identity.refresh_tokens t
      JOIN identity.sessions s ON s.id = t.session_id
      JOIN identity.users u ON u.id = s.user_id
      WHERE t.token_hash = ${tokenHash}
      FOR UPDATE OF t, s`;
    return row;
  }

  /** Done when the transaction commits; the token is locked. */
  markUsed(tx: PlatformTx, tokenHash: Buffer<ArrayBuffer>, now: Date): void {
    tx.$atEnd(Prisma.sql`UPDATE identity.refresh_tokens SET used_at = ${now} WHERE token_hash = ${tokenHash}`);
  }
}
