import { Injectable } from '@nestjs/common';
import type { PlatformTx } from '../database/platform-db';

/** At most as many rows in one statement, so that it stays within its time; the rest waits for the next hour. */
const BATCH_SIZE = 50_000;

@Injectable()
export class AuthCleanupRepository {
  /** @returns false when another instance has the lock; it ends with the transaction */
  async tryLock(tx: PlatformTx): Promise<boolean> {
    const [row] = await tx.$queryRaw<{ locked: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtext('tenantry:auth-cleanup')) AS locked`;
    return row?.locked === true;
  }

  /** Used ones stay while their session lives: by them a reuse is noticed. */
  async removeDeadRefreshTokens(tx: PlatformTx, now: Date): Promise<void> {
    await tx.$executeRaw`
      DELETE FROM identity.refresh_tokens WHERE token_hash IN (
        SELECT t.token_hash FROM identity.refresh_tokens t JOIN identity.sessions s ON s.id = t.session_id
        WHERE s.ended_at IS NOT NULL OR s.expires_at <= ${now} LIMIT ${BATCH_SIZE})`;
  }

  async removeSessionsExpiredBefore(tx: PlatformTx, time: Date): Promise<void> {
    await tx.$executeRaw`
      DELETE FROM identity.sessions WHERE id IN (SELECT id FROM identity.sessions WHERE expires_at < ${time} LIMIT ${BATCH_SIZE})`;
  }

  async removeExpiredAttempts(tx: PlatformTx, now: Date): Promise<void> {
    await tx.signInAttempt.deleteMany({ where: { expire: { lt: BigInt(now.getTime()) } } });
  }
}
