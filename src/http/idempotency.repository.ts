import { Injectable } from '@nestjs/common';
import { PlatformDb } from '../database/platform-db';

/** What answers are sealed for (SecretBox). */
export const IDEMPOTENCY_PURPOSE = 'idempotency';

/** How long an answer is kept for a repeated request. */
const KEPT_HOURS = 24;

/** A key that a request holds. */
export interface Reservation {
  id: Buffer<ArrayBuffer>;
  /** Tells it from a later one of the same key. */
  reservedAt: Date;
}

export interface StoredAnswer {
  fingerprint: Uint8Array;
  status: number | null;
  sealedAnswer: Uint8Array | null;
}

@Injectable()
export class IdempotencyRepository {
  constructor(private readonly db: PlatformDb) {}

  /**
   * Reserves the key for this request: undefined when it is ours now, otherwise what stands there already.
   * @param onReserved is told before the reservation is committed: it may stand even when this fails
   */
  async reserve(
    id: Buffer<ArrayBuffer>,
    fingerprint: Buffer<ArrayBuffer>,
    onReserved: (reservation: Reservation) => void,
  ): Promise<StoredAnswer | undefined> {
    return this.db.run(async (tx) => {
      const [reserved] = await tx.$queryRaw<{ reservedAt: Date }[]>`
        INSERT INTO identity.idempotency_keys AS k (id, fingerprint, expires_at)
        VALUES (${id}, ${fingerprint}, now() + make_interval(hours => ${KEPT_HOURS}))
        ON CONFLICT (id) DO UPDATE SET fingerprint = excluded.fingerprint, status = NULL, sealed_answer = NULL,
          created_at = now(), expires_at = excluded.expires_at
        WHERE k.expires_at < now()
        RETURNING created_at AS "reservedAt"`;
      if (reserved) {
        onReserved({ id, ...reserved });
        return undefined;
      }
      return tx.idempotencyKey.findUniqueOrThrow({
        where: { id },
        select: { fingerprint: true, status: true, sealedAnswer: true },
      });
    });
  }

  /** Keeps the answer for a repeated request. The same again changes nothing. */
  async complete({ id, reservedAt }: Reservation, status: number, sealedAnswer: Buffer<ArrayBuffer>): Promise<void> {
    await this.db.run((tx) =>
      tx.idempotencyKey.updateMany({ where: { id, createdAt: reservedAt }, data: { status, sealedAnswer } }),
    );
  }

  /** Frees the key; a later reservation of it, and an answer, stay. */
  async release({ id, reservedAt }: Reservation): Promise<void> {
    await this.db.run((tx) => tx.idempotencyKey.deleteMany({ where: { id, createdAt: reservedAt, status: null } }));
  }

  /** @returns how many were past their time */
  async removeExpired(): Promise<number> {
    return this.db.run((tx) => tx.$executeRaw`DELETE FROM identity.idempotency_keys WHERE expires_at < now()`);
  }
}
