import { Logger } from '@nestjs/common';
import { numberAt } from '../wal-segments';
import { LogIntake, type LogIntakeOptions } from './log-intake';

/** A segment that is not full is ended after so long, so that no more than this and its upload can be lost. */
const SEGMENT_AGE_MS = 60_000;
const HEARTBEAT_MS = 30_000;

interface WalReceiverOptions extends LogIntakeOptions {
  slot: string;
  /** Milliseconds; for tests. */
  heartbeatMs?: number;
  segmentAgeMs?: number;
}

/**
 * Receives the write-ahead log and stores it segment by segment; the server is told to forget only what is stored. One
 * receiver at a time: the server gives its slot to one only.
 */
export class WalReceiver {
  private readonly logger = new Logger('Backups');
  private readonly intake: LogIntake;
  private isBeating = false;

  constructor(private readonly options: WalReceiverOptions) {
    this.intake = new LogIntake(options);
  }

  /**
   * Receives until stop(), or until something fails.
   * @throws StartupError when the repository is of another cluster
   * @throws Error of the server's or the repository's; what was not stored comes again with the next run()
   */
  async run(): Promise<void> {
    const timer = setInterval(() => void this.beat(), this.options.heartbeatMs ?? HEARTBEAT_MS);
    try {
      await this.intake.receive(await this.ensureSlot());
    } finally {
      clearInterval(timer);
    }
  }

  /** Ends run(); the segment under way comes again, whole, with the next one. */
  stop(): void {
    this.intake.stop();
  }

  /** @returns the number of the segment that the server's log begins with for us */
  private async ensureSlot(): Promise<bigint> {
    const { source, slot, store } = this.options;
    let state = await source.readSlot(slot);
    if (state && state.restartPosition === undefined && !state.isActive) {
      await source.dropSlot(slot); // it has lost what was not stored; whether that matters is found out by asking for it
      state = undefined;
    }
    if (!state) {
      await source.createSlot(slot);
      state = await source.readSlot(slot);
    }
    return numberAt(state?.restartPosition ?? 0n, store.archive.segmentBytes);
  }

  private async beat(): Promise<void> {
    if (this.isBeating) return; // the server is slow
    this.isBeating = true;
    try {
      await this.intake.heartbeat();
      const { partAgeMs } = this.intake;
      const { source, segmentAgeMs = SEGMENT_AGE_MS } = this.options;
      if (partAgeMs !== undefined && partAgeMs >= segmentAgeMs) await source.switchSegment();
    } catch (error) {
      if (!this.intake.isStopping)
        this.logger.warn(`No heartbeat for the write-ahead log: ${(error as Error).message}`);
    } finally {
      this.isBeating = false;
    }
  }
}
