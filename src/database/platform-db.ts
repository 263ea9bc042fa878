import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { asDomainError } from './database-errors';
import type { TenantryTransaction } from './prisma-client';
import { PrismaService } from './prisma.service';

type PlatformModels =
  | 'user'
  | 'credential'
  | 'session'
  | 'refreshToken'
  | 'signingKey'
  | 'idempotencyKey'
  | 'signInAttempt'
  | 'permission'
  | 'tenant'
  | 'membership'
  | 'auditEvent';

declare const platformTx: unique symbol;

/** A transaction above tenants, under the platform login: accounts and sessions, the list of tenants, the platform's audit events. */
export type PlatformTx = Pick<TenantryTransaction, PlatformModels | '$queryRaw' | '$executeRaw'> & {
  readonly [platformTx]: true;
};

/** The door to what stands above tenants. Few modules may import it (.dependency-cruiser.cjs says which). */
@Injectable()
export class PlatformDb {
  constructor(private readonly prisma: PrismaService) {}

  /**
   * Runs `work` in one transaction under the platform login.
   * @throws UnavailableError when the database can't be reached in time
   */
  async run<Result>(
    work: (tx: PlatformTx) => Promise<Result>,
    options?: { isolationLevel?: Prisma.TransactionIsolationLevel },
  ): Promise<Result> {
    try {
      return await this.prisma.platform.$transaction((tx) => work(tx as unknown as PlatformTx), options);
    } catch (error) {
      throw asDomainError(error);
    }
  }
}
