import { Injectable, Logger } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { regardless } from '../database/abandonment';
import { IdempotencyRepository, type Reservation } from './idempotency.repository';

const RETRY_MS = 250;
/** Beyond that many are not remembered: a long outage must not fill the memory. Their keys stay taken until they expire. */
const MAX_PENDING = 1_000;

/**
 * Ends reservations: with the answer, or by freeing the key. What made a request fail is often that the database was away, and
 * then its reservation cannot be ended either: that is done as soon as the database is back, and the caller does not wait.
 */
@Injectable()
export class ReservedKeys {
  private readonly logger = new Logger('Idempotency');
  private readonly pending = new Map<string, () => Promise<void>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly keys: IdempotencyRepository) {}

  /** Never rejects: what fails is tried again. */
  complete(reservation: Reservation, status: number, sealedAnswer: Buffer<ArrayBuffer>): Promise<void> {
    return this.end(reservation, () => regardless(() => this.keys.complete(reservation, status, sealedAnswer)));
  }

  /** Never rejects: what fails is tried again. */
  release(reservation: Reservation): Promise<void> {
    return this.end(reservation, () => regardless(() => this.keys.release(reservation)));
  }

  /** For a caller who is faster than our repetition. @throws UnavailableError when the database is still away */
  async settle(id: Buffer<ArrayBuffer>): Promise<void> {
    const work = this.pending.get(nameOf(id));
    if (work) await this.settleOne(nameOf(id), work);
  }

  @Cron(CronExpression.EVERY_HOUR)
  async removeExpired(): Promise<void> {
    await this.keys
      .removeExpired()
      .catch((error: unknown) => this.logger.warn(`Expired keys stay for now: ${String(error)}`));
  }

  private async end({ id }: Reservation, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.pending.size >= MAX_PENDING) {
        this.logger.warn(`A key stays taken: ${String(error)}`);
        return;
      }
      this.pending.set(nameOf(id), work);
      this.retryLater();
    }
  }

  private async settleOne(name: string, work: () => Promise<void>): Promise<void> {
    await work();
    if (this.pending.get(name) === work) this.pending.delete(name);
  }

  private retryLater(): void {
    this.timer ??= setTimeout(() => void this.retry(), RETRY_MS).unref();
  }

  private async retry(): Promise<void> {
    try {
      for (const [name, work] of this.pending) await this.settleOne(name, work);
    } catch {
      // Still away: the request that needed the key has said so.
    }
    this.timer = undefined;
    if (this.pending.size > 0) this.retryLater();
  }
}

const nameOf = (id: Buffer): string => id.toString('base64');
