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

  /** Of every key there has been, newest first: receipts and archives outlive the key that signed them. */
  async listPublic(tx: PlatformTx): Promise<PublicJwk[]> {
    const rows = await tx.signingKey.findMany({
      orderBy: [{ createdAt: 'desc' }, { kid: 'asc' }],
      select: { publicJwk: true },
    });
    return rows.map((row) => row.publicJwk as unknown as PublicJwk);
  }

  /** Nobody can sign with these again. */
  async forgetPrivateHalves(tx: PlatformTx, { retiredBefore }: { retiredBefore: Date }): Promise<void> {
    await tx.signingKey.updateMany({
      where: { retiredAt: { lt: retiredBefore } },
      data: { sealedKey: Buffer.alloc(0) },
    });
  }
}
