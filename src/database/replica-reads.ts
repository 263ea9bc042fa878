import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { DomainError, UnavailableError } from '../common/errors';
import { abandonment } from './abandonment';
import { Pools } from './pools';
import type { TenantryClient, TenantryTransaction } from './prisma-client';
import { PrismaService } from './prisma.service';

/** How long a read waits for the replica to catch up. Streaming replication within a data centre takes milliseconds. */
const PATIENCE_MS = 100;
const POLL_MS = 5;
/** A replica that has not begun to answer by then is taken for dead, even if the network does not say so. */
const SILENCE_MS = 1_000;
/** A replica that is behind, or fails, is left alone for so long: its readers would only lose time. */
const REST_MS = 2_000;

/** How far the primary has got. */
interface Position {
  /** Where its next write-ahead log record goes; all that it has acknowledged stands before. */
  lsn: string;
  /** Tells one cluster from another. */
  system: string;
}

type Statements = Pick<TenantryTransaction, '$queryRaw'>;

/** A read as it is run on the replica; `assertCaughtUp` is its first statement. */
type ReplicaRead<Result> = (
  client: TenantryClient,
  assertCaughtUp: (tx: Statements) => Promise<void>,
) => Promise<Result>;

/**
 * Reads that may come from the replica, and miss nothing that was acknowledged to anybody, by any instance, before they
 * began (docs/decisions/0013). Whoever gets no answer here asks the primary.
 */
@Injectable()
export class ReplicaReads {
  private readonly logger = new Logger('Database');
  private restsUntil = 0;

  constructor(
    private readonly prisma: PrismaService,
    private readonly pools: Pools,
  ) {}

  /** @returns undefined when there is no replica, or it is behind or fails */
  async attempt<Result>(read: ReplicaRead<Result>): Promise<{ result: Result } | undefined> {
    const { replica } = this.prisma;
    if (!replica || performance.now() < this.restsUntil) return undefined;
    const position = await this.primaryPosition().catch(() => undefined); // the read itself will tell
    if (!position) return undefined;
    try {
      return { result: await unlessSilent((begun) => read(replica, (tx) => assertReached(tx, position).then(begun))) };
    } catch (error) {
      // A "not found" is an answer. What failed otherwise may succeed on the primary.
      if (error instanceof DomainError && !(error instanceof UnavailableError)) throw error;
      if (abandonment()?.aborted) throw error; // the caller has gone: no fault of the replica's
      this.rest(error);
      return undefined;
    }
  }

  private async primaryPosition(): Promise<Position> {
    const { rows } = await this.pools.app.query<Position>(
      'SELECT pg_current_wal_insert_lsn()::text AS lsn, system_identifier::text AS system FROM pg_control_system()',
    );
    return rows[0]!;
  }

  private rest(reason: unknown): void {
    this.restsUntil = performance.now() + REST_MS;
    const { message } = (reason instanceof UnavailableError ? (reason.cause ?? reason) : reason) as Error;
    this.logger.warn(`Reads go to the primary for ${REST_MS / 1000} s; the replica: ${message}`);
  }
}

/**
 * Runs `work`, and gives it up when it does not say in time that it has begun. Given up, it ends by itself: its connection has
 * bounds of its own, and it only reads.
 */
async function unlessSilent<Result>(work: (begun: () => void) => Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('it does not answer')), SILENCE_MS);
  });
  const result = work(() => clearTimeout(timer));
  try {
    return await Promise.race([result, silence]);
  } finally {
    clearTimeout(timer);
    result.catch(() => undefined); // whoever gave it up has the primary's answer
  }
}

/**
 * Waits until the transaction's next statement sees all that the primary had at `position`. At READ COMMITTED each statement
 * has a snapshot of its own, so what is replayed before it is seen by it.
 */
async function assertReached(tx: Statements, { lsn, system }: Position): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const [state] = await tx.$queryRaw<{ reached: boolean }[]>`
      SELECT pg_is_in_recovery() AND coalesce(pg_last_wal_replay_lsn() >= ${lsn}::pg_lsn, false)
        AND system_identifier::text = ${system} AND current_setting('transaction_isolation') = 'read committed' AS reached
      FROM pg_control_system()`;
    if (state?.reached) return;
    if (performance.now() > deadline) throw new Error('it is behind, or no standby of the primary');
    await sleep(POLL_MS);
  }
}
