import { Logger } from '@nestjs/common';
import { WalSource } from '../../database/wal-source';
import { WalStream } from '../../database/wal-stream';
import type { BackupStore } from './backup-store';
import { nameOfHistory, numberAt, startOf } from '../wal-segments';

/** A segment that is not full is ended after so long, so that no more than this and its upload can be lost. */
const SEGMENT_AGE_MS = 60_000;
const HEARTBEAT_MS = 30_000;

interface WalReceiverOptions {
  source: WalSource;
  store: BackupStore;
  slot: string;
  /** Milliseconds; for tests. */
  heartbeatMs?: number;
  segmentAgeMs?: number;
  /** Told when log has been lost for good: only a new base backup makes later times restorable. */
  onGap?: (reason: string) => void;
}

/**
 * Receives the write-ahead log and stores it segment by segment; the server is told to forget only what is stored. One
 * receiver at a time: the server gives its slot to one only.
 */
export class WalReceiver {
  private readonly logger = new Logger('Backups');
  private stream: WalStream | undefined;
  private stopping = false;
  /** Heartbeats whose segment is not stored yet. */
  private heartbeats: { at: Date; position: bigint }[] = [];
  private received = 0n;
  private stored = 0n;
  private segmentBegunAt = 0;
  private isBeating = false;

  constructor(private readonly options: WalReceiverOptions) {}

  /**
   * Receives until stop(), or until something fails.
   * @throws StartupError when the repository is of another cluster
   * @throws Error of the server's or the repository's; what was not stored comes again with the next run()
   */
  async run(): Promise<void> {
    const { source, slot } = this.options;
    const connection = await source.connectForStream();
    const timer = setInterval(() => void this.beat(), this.options.heartbeatMs ?? HEARTBEAT_MS);
    try {
      await this.options.store.assertOf(connection);
      const { timeline } = connection;
      const position = await this.startingPosition(timeline);
      await this.storeHistory(timeline, connection.client);
      if (this.stopping) return; // told so while the server was asked
      this.stream = new WalStream(connection, slot, position, timeline);
      await this.receive(this.stream, timeline, position);
    } finally {
      clearInterval(timer);
      this.stream = undefined;
      await connection.client.end().catch(() => undefined);
    }
  }

  /** Ends run(); the segment under way comes again, whole, with the next one. */
  stop(): void {
    this.stopping = true;
    this.stream?.close();
  }

  private async receive(stream: WalStream, timeline: number, position: bigint): Promise<void> {
    const { archive } = this.options.store;
    const { segmentBytes } = archive;
    const segment = Buffer.alloc(segmentBytes);
    let filled = 0;
    let number = numberAt(position, segmentBytes);
    this.stored = this.received = position;
    for await (const { data, position: at } of stream) {
      if (at !== this.received) throw new Error(`The server sent the log out of order.`);
      for (let offset = 0; offset < data.length;) {
        if (filled === 0) this.segmentBegunAt = performance.now();
        const size = data.copy(segment, filled, offset, Math.min(data.length, offset + segmentBytes - filled));
        filled += size;
        offset += size;
        if (filled < segmentBytes) continue;
        const end = startOf(number + 1n, segmentBytes);
        await archive.store({ timeline, number }, segment, this.lastCommitBefore(end));
        this.stored = end;
        stream.confirm(end);
        number += 1n;
        filled = 0;
      }
      this.received = at + BigInt(data.length);
    }
  }

  /** Where to go on: after what is stored; for the first time, where the slot begins. */
  private async startingPosition(timeline: number): Promise<bigint> {
    const { source, slot } = this.options;
    const { archive } = this.options.store;
    let state = await source.readSlot(slot);
    if (state && state.restartPosition === undefined && !state.isActive) {
      this.options.onGap?.('The server no longer has the log that was not stored.');
      await source.dropSlot(slot);
      state = undefined;
    }
    if (!state) {
      await source.createSlot(slot);
      state = await source.readSlot(slot);
    }
    const kept = this.floor(state?.restartPosition ?? 0n);
    const last = (await archive.list(timeline)).at(-1);
    const wanted = last && startOf(last.number + 1n, archive.segmentBytes);
    if (wanted === undefined) return kept;
    if (kept > wanted) this.options.onGap?.('There is log between what is stored and what the server still has.');
    return wanted < kept ? kept : wanted;
  }

  private async storeHistory(timeline: number, client: WalSourceClient): Promise<void> {
    if (timeline === 1) return;
    const { rows } = await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`);
    await this.options.store.archive.storeHistory(nameOfHistory(timeline), Buffer.from(rows[0]!.content));
  }

  private async beat(): Promise<void> {
    if (this.isBeating) return; // the server is slow
    this.isBeating = true;
    try {
      const { source, segmentAgeMs = SEGMENT_AGE_MS } = this.options;
      this.heartbeats.push(await source.heartbeat());
      const isOld = performance.now() - this.segmentBegunAt >= segmentAgeMs;
      if (this.received > this.stored && isOld) await source.switchSegment();
    } catch (error) {
      this.logger.warn(`No heartbeat for the write-ahead log: ${(error as Error).message}`);
    } finally {
      this.isBeating = false;
    }
  }

  /** The newest heartbeat that lies before a position; those before are done with. */
  private lastCommitBefore(position: bigint): Date | undefined {
    const before = this.heartbeats.filter((heartbeat) => heartbeat.position <= position);
    this.heartbeats = this.heartbeats.filter((heartbeat) => heartbeat.position > position);
    return before.at(-1)?.at;
  }

  private floor(position: bigint): bigint {
    const { segmentBytes } = this.options.store.archive;
    return startOf(numberAt(position, segmentBytes), segmentBytes);
  }
}

interface WalSourceClient {
  query<Row>(text: string): Promise<{ rows: Row[] }>;
}
