import { Injectable, Logger } from '@nestjs/common';
import { IdempotencyRepository, type Reservation } from './idempotency.repository';

const RETRY_MS = 250;
/** Beyond that many are not remembered: a long outage must not fill the memory. They expire. */
const MAX_PENDING = 10_000;

/**
 * Frees keys whose requests have done nothing. What made a request fail is often that the database was away, and then its
 * key cannot be freed either: that is done as soon as the database is back.
 */
@Injectable()
export class KeyReleases {
  private readonly logger = new Logger('Idempotency');
  private readonly pending = new Map<string, Reservation>();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly keys: IdempotencyRepository) {}

  /** Never rejects: what fails is tried again. */
  async release(reservation: Reservation): Promise<void> {
    try {
      await this.keys.release(reservation);
    } catch (error) {
      if (this.pending.size >= MAX_PENDING) {
        this.logger.warn(`A key could not be released: ${String(error)}`);
        return;
      }
      this.pending.set(nameOf(reservation), reservation);
      this.retryLater();
    }
  }

  /** For a caller who is faster than our repetition. @throws UnavailableError when the database is still away */
  async settle(id: Buffer<ArrayBuffer>): Promise<void> {
    const name = id.toString('base64');
    const reservation = this.pending.get(name);
    if (!reservation) return;
    await this.keys.release(reservation);
    if (this.pending.get(name) === reservation) this.pending.delete(name);
  }

  private retryLater(): void {
    this.timer ??= setTimeout(() => void this.retry(), RETRY_MS).unref();
  }

  private async retry(): Promise<void> {
    try {
      for (const { id } of this.pending.values()) await this.settle(id);
    } catch {
      // Still away: the request that needed the key has said so.
    }
    this.timer = undefined;
    if (this.pending.size > 0) this.retryLater();
  }
}

const nameOf = ({ id }: Reservation): string => id.toString('base64');
