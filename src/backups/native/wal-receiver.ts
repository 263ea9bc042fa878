import { Logger } from '@nestjs/common';
import { noteBufferGarbage } from '../../common/buffer-garbage';
import { WalSource } from '../../database/wal-source';
import { WalStream } from '../../database/wal-stream';
import type { BackupStore } from './backup-store';
import { legsToReceive, type LogLeg } from './log-legs';
import type { Timeline } from '../coverage';
import { parseHistory } from '../timeline-history';
import { nameOfHistory, numberAt, startOf } from '../wal-segments';

/** A segment that is not full is ended after so long, so that no more than this and its upload can be lost. */
const SEGMENT_AGE_MS = 60_000;
const HEARTBEAT_MS = 30_000;
const UNDEFINED_FILE = '58P01';

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
    const timer = setInterval(() => void this.beat(), this.options.heartbeatMs ?? HEARTBEAT_MS);
    try {
      const kept = await this.ensureSlot();
      for (const leg of await this.legs(kept)) await this.receiveLeg(leg, kept);
    } finally {
      clearInterval(timer);
    }
  }

  /** Ends run(); the segment under way comes again, whole, with the next one. */
  stop(): void {
    this.stopping = true;
    this.stream?.close();
  }

  /** Has what there is stored now, with a commit at its end. @throws Error the server's */
  async flush(): Promise<void> {
    const { source } = this.options;
    this.heartbeats.push(await source.heartbeat());
    await source.switchSegment();
  }

  /** What the server no longer has is told of, and left out. */
  private async receiveLeg(leg: LogLeg, kept: bigint): Promise<void> {
    try {
      await this.receive(leg);
    } catch (error) {
      // "requested WAL segment … has already been removed"
      if ((error as NodeJS.ErrnoException).code !== UNDEFINED_FILE) throw error;
      const isLast = leg.until === undefined;
      if (isLast && kept <= leg.from) throw error;
      this.options.onGap?.('The server no longer has the log that was not stored.');
      if (isLast) await this.receive({ ...leg, from: kept });
    }
  }

  private async receive(leg: LogLeg): Promise<void> {
    const connection = await this.options.source.connectForStream();
    try {
      const { segmentBytes } = this.options.store.archive;
      if (this.stopping) return; // told so while the server was asked
      this.stream = new WalStream(connection, this.options.slot, startOf(leg.from, segmentBytes), leg.timeline);
      await this.storeSegments(this.stream, leg);
    } finally {
      this.stream = undefined;
      await connection.client.end().catch(() => undefined);
    }
  }

  /** Until it is stopped or, on a timeline that was left, until all of it is there. */
  private async storeSegments(stream: WalStream, { timeline, from, until }: LogLeg): Promise<void> {
    const { archive } = this.options.store;
    const { segmentBytes } = archive;
    const segment = Buffer.alloc(segmentBytes);
    let filled = 0;
    let number = from;
    this.stored = this.received = startOf(from, segmentBytes);
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
        if (number === until) return;
      }
      this.received = at + BigInt(data.length);
      noteBufferGarbage(data.length);
    }
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

  /** What is to be received; how the server's timeline came about is stored on the way. */
  private async legs(kept: bigint): Promise<LogLeg[]> {
    const { source, store } = this.options;
    const connection = await source.connectForStream();
    try {
      await store.assertOf(connection);
      const { timeline, segmentBytes } = connection;
      const history = timeline === 1 ? [] : await this.storeHistory(timeline, connection.client);
      const stored = new Map<number, bigint>();
      for (const one of [...history.map((left) => left.timeline), timeline]) {
        const last = (await store.archive.list(one)).at(-1);
        if (last) stored.set(one, last.number);
      }
      return legsToReceive({ timeline, history, segmentBytes }, stored, kept);
    } finally {
      await connection.client.end().catch(() => undefined);
    }
  }

  private async storeHistory(timeline: number, client: WalSourceClient): Promise<Timeline['history']> {
    const { rows } = await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`);
    const content = Buffer.from(rows[0]!.content);
    const { source, store } = this.options;
    const name = nameOfHistory(timeline);
    await store.archive.storeHistory(name, content, await source.timelineBegunAt(name));
    return parseHistory(content.toString('utf8'));
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
      if (!this.stopping) this.logger.warn(`No heartbeat for the write-ahead log: ${(error as Error).message}`);
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
}

interface WalSourceClient {
  query<Row>(text: string): Promise<{ rows: Row[] }>;
}
