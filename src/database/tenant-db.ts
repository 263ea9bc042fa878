import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { isUUID } from 'class-validator';
import type { CustomTypesConfig } from 'pg';
import { accompany } from './abandonment';
import { AccompanyingCheck, type Answer } from './accompanying-check';
import { writeAtomically, type WriteStatement, type WrittenRow } from './atomic-write';
import { Pools } from './pools';
import type { TenantryTransaction } from './prisma-client';
import { PrismaService } from './prisma.service';
import { ReplicaReads } from './replica-reads';
import type { BatchStatement } from './statement-batch';
import { type Deferring, repeatedRead, transact, type TransactionOptions } from './transaction';

/** What the app login may touch. */
type TenantModels =
  'tenant' | 'membership' | 'role' | 'rolePermission' | 'membershipRole' | 'permission' | 'auditEvent';

declare const tenantTx: unique symbol;

/**
 * A transaction that belongs to one tenant. Only TenantDb makes one, so plain Prisma in its place does not compile.
 * Each query names `tx.tenantId` as well: row-level security is the floor, not the filter (docs/tenancy.md).
 */
export type TenantTx = Pick<TenantryTransaction, TenantModels | '$queryRaw' | '$executeRaw'> &
  Deferring & {
    readonly tenantId: string;
    readonly [tenantTx]: true;
  };

export interface ReadOptions {
  /**
   * `allowed`: the answer may come from the replica (POSTGRES_REPLICA_URL). It has all that was acknowledged when the read
   * began; a write that is under way meanwhile may be missing from it.
   */
  staleness?: 'allowed';
}

/** A statement that only reads, with `$1` for its values. */
export type Question = Pick<Prisma.Sql, 'text' | 'values'>;

/** The door to what tenants own. */
@Injectable()
export class TenantDb {
  constructor(
    private readonly prisma: PrismaService,
    private readonly replica: ReplicaReads,
    private readonly pools: Pools,
  ) {}

  /**
   * Runs `work` in one transaction in which PostgreSQL shows and takes rows of `tenantId` only.
   * Slow work (hashing, files, other servers) stays outside: a transaction ends after POSTGRES_STATEMENT_TIMEOUT_MS. It may
   * run twice, when the first one lost against another, so it changes nothing but the database.
   * @throws UnavailableError when the database can't be reached in time
   */
  run<Result>(
    tenantId: string,
    work: (tx: TenantTx) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result> {
    return this.transact(tenantId, work, false, options);
  }

  /**
   * The same for work that only reads: each statement is a transaction of its own and takes one round trip. It is repeated once
   * when its connection dies.
   */
  async read<Result>(
    tenantId: string,
    work: (tx: TenantTx) => Promise<Result>,
    { staleness }: ReadOptions = {},
  ): Promise<Result> {
    assertTenantId(tenantId);
    if (staleness === 'allowed') {
      const answer = await this.replica.attempt((client, assertCaughtUp) => {
        const whenCaughtUp = (tx: TenantTx): Promise<Result> => assertCaughtUp(tx).then(() => work(tx));
        return this.transact(tenantId, whenCaughtUp, true, {}, client);
      });
      if (answer) return answer.result;
    }
    return repeatedRead(tenantId, (scope) => work(this.prisma.appReader.in(scope) as TenantTx));
  }

  /**
   * Statements in one round trip, all or none, in which PostgreSQL shows and takes rows of `tenantId` only. What needs an answer
   * before it goes on, or a lock, is a `run`.
   * @returns for each statement the rows that it returned
   */
  write(tenantId: string, statements: readonly WriteStatement[]): Promise<WrittenRow[][]> {
    assertTenantId(tenantId);
    return writeAtomically(this.pools.app, tenantId, statements);
  }

  /** One question in one round trip; its answer can be compared with a later one. */
  ask(tenantId: string, question: Question): Promise<Answer> {
    assertTenantId(tenantId);
    return repeatedRead(tenantId, async (scope) => {
      const [result] = await this.pools.app.batch([asTexts(question)], { ...scope, check: undefined });
      return result!.rows[0] as Answer;
    });
  }

  /**
   * Has the request for which this code runs answered only if the answer to `question` is `expected` still: it is asked in the
   * same round trip as the request's first read.
   * @returns undefined outside of a request
   */
  accompany(tenantId: string, question: Question, expected: Answer): AccompanyingCheck | undefined {
    const check = new AccompanyingCheck(tenantId, asTexts(question), expected, () => this.ask(tenantId, question));
    return accompany(check) ? check : undefined;
  }

  private async transact<Result>(
    tenantId: string,
    work: (tx: TenantTx) => Promise<Result>,
    readOnly: boolean,
    options?: TransactionOptions,
    client = this.prisma.app,
  ): Promise<Result> {
    assertTenantId(tenantId);
    return transact({ client, tenantId, readOnly, work: (tx) => work(forTenant(tx, tenantId)), options });
  }
}

function assertTenantId(tenantId: string): void {
  // The id becomes part of a statement (batching-client.ts): SET takes no parameters.
  if (!isUUID(tenantId)) throw new TypeError('a tenant id must be a UUID');
}

const TEXTS = { getTypeParser: () => String } as unknown as CustomTypesConfig;

function asTexts({ text, values }: Question): BatchStatement {
  return { text, values, rowMode: 'array', types: TEXTS };
}

function forTenant(tx: object, tenantId: string): TenantTx {
  return Object.create(tx, { tenantId: { value: tenantId, enumerable: true } }) as TenantTx;
}
