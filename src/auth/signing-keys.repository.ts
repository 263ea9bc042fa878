import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import type { PlatformTx } from '../database/platform-db';
import type { PublicJwk } from './signing-key';

export interface SigningKeyRow {
  kid: string;
  publicJwk: PublicJwk;
  sealedKey: Uint8Array;
  createdAt: Date;
  retiredAt: Date | null;
}

@Injectable()
export class SigningKeysRepository {
  /** One instance at a time makes keys. */
  async lock(tx: PlatformTx): Promise<void> {
    await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('tenantry:signing-keys'))`;
  }

  /** Newest first; without those retired before `since`. */
  async list(tx: PlatformTx, since: Date): Promise<SigningKeyRow[]> {
    const rows = await tx.signingKey.findMany({
      where: { OR: [{ retiredAt: null }, { retiredAt: { gt: since } }] },
      orderBy: [{ createdAt: 'desc' }, { kid: 'asc' }],
    });
    return rows.map((row) => ({ ...row, publicJwk: row.publicJwk as unknown as PublicJwk }));
  }

  async create(tx: PlatformTx, jwk: PublicJwk, sealedKey: Buffer<ArrayBuffer>, now: Date): Promise<void> {
    await tx.signingKey.create({
      data: { kid: jwk.kid, publicJwk: { ...jwk } satisfies Prisma.InputJsonObject, sealedKey, createdAt: now },
      select: { kid: true },
    });
  }

  async retireAll(tx: PlatformTx, now: Date): Promise<void> {
    await tx.signingKey.updateMany({ where: { retiredAt: null }, data: { retiredAt: now } });
  }

  async removeRetiredBefore(tx: PlatformTx, time: Date): Promise<void> {
    await tx.signingKey.deleteMany({ where: { retiredAt: { lt: time } } });
  }
}
