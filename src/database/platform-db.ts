import { Injectable } from '@nestjs/common';
import type { TenantryTransaction } from './prisma-client';
import { writeAtomically, type WriteStatement, type WrittenRow } from './atomic-write';
import { Pools } from './pools';
import { PrismaService } from './prisma.service';
import { type Deferring, repeatedRead, transact, type TransactionOptions } from './transaction';

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
  | 'auditEvent'
  | 'tenantRestore'
  | 'erasure';

declare const platformTx: unique symbol;

/** A transaction above tenants, under the platform login: accounts and sessions, the list of tenants, the platform's audit events. */
export type PlatformTx = Pick<TenantryTransaction, PlatformModels | '$queryRaw' | '$executeRaw'> &
  Deferring & {
    readonly [platformTx]: true;
  };

/** The door to what stands above tenants. Few modules may import it (.dependency-cruiser.cjs says which). */
@Injectable()
export class PlatformDb {
  constructor(
    private readonly prisma: PrismaService,
    private readonly pools: Pools,
  ) {}

  /**
   * Runs `work` in one transaction under the platform login. It may run twice, when the first one lost against another, so
   * it changes nothing but the database.
   * @throws UnavailableError when the database can't be reached in time
   */
  run<Result>(work: (tx: PlatformTx) => Promise<Result>, options?: TransactionOptions): Promise<Result> {
    return transact({
      client: this.prisma.platform,
      readOnly: false,
      work: (tx) => work(tx as unknown as PlatformTx),
      options,
    });
  }

  /**
   * The same for work that only reads: each statement is a transaction of its own and takes one round trip. It is repeated once
   * when its connection dies.
   */
  read<Result>(work: (tx: PlatformTx) => Promise<Result>): Promise<Result> {
    return repeatedRead(undefined, (scope) => work(this.prisma.platformReader.in(scope) as PlatformTx));
  }

  /**
   * Statements in one round trip, all or none. What needs an answer before it goes on is a `run`.
   * @returns for each statement the rows that it returned
   */
  write(statements: readonly WriteStatement[]): Promise<WrittenRow[][]> {
    return writeAtomically(this.pools.platform, undefined, statements);
  }
}
