import { parseHistory } from '../timeline-history';
import { nameOfHistory, startOf } from '../wal-segments';
import type { Timeline } from '../coverage';
import type { ReplicationConnection } from '../../database/replication-connection';
import type { WalSource } from '../../database/wal-source';
import { WalStream } from '../../database/wal-stream';
import type { BackupStore } from './backup-store';
import { cutSegments } from './cut-segments';
import { legsToReceive, type LogLeg } from './log-legs';

const UNDEFINED_FILE = '58P01';

export interface LogIntakeOptions {
  source: WalSource;
  store: BackupStore;
  /** What is stored is confirmed to it, and the server may forget it; undefined: nothing is. */
  slot: string | undefined;
  /** Told when log has been lost for good: only a new base backup makes later times restorable. */
  onGap?: ((reason: string) => void) | undefined;
}

/** Streams what the repository lacks of the log, along all timelines, and stores it segment by segment. */
export class LogIntake {
  private stream: WalStream | undefined;
  private stopping = false;
  /** Heartbeats whose segment is not stored yet. */
  private heartbeats: { at: Date; position: bigint }[] = [];
  private received = 0n;
  private stored = 0n;
  private segmentBegunAt = 0;

  constructor(private readonly options: LogIntakeOptions) {}

  get isStopping(): boolean {
    return this.stopping;
  }

  /** Milliseconds since when a part of a segment has been waiting for its rest; undefined: none is. */
  get partAgeMs(): number | undefined {
    return this.received > this.stored ? performance.now() - this.segmentBegunAt : undefined;
  }

  /** Writes a commit into the log; the segment that has it is stored under its time. @returns that time, by the server's clock */
  async heartbeat(): Promise<Date> {
    const heartbeat = await this.options.source.heartbeat();
    this.heartbeats.push(heartbeat);
    return heartbeat.at;
  }

  /**
   * Receives until stop(), or until something fails.
   * @param kept the number of the segment from which on the server has its log for sure
   * @param last the number of the segment to end with; undefined: it goes on
   * @throws StartupError when the repository is of another cluster
   * @throws Error of the server's or the repository's; what was not stored comes again with the next one
   */
  async receive(kept: bigint, last?: bigint): Promise<void> {
    const legs = await this.legs(kept, last);
    for (const leg of legs) await this.receiveLeg(leg, kept, leg === legs.at(-1));
  }

  /** Ends receive(); the segment under way comes again, whole, with the next one. */
  stop(): void {
    this.stopping = true;
    this.stream?.close();
  }

  /** What the server no longer has is told of, and left out. */
  private async receiveLeg(leg: LogLeg, kept: bigint, isLast: boolean): Promise<void> {
    try {
      await this.receivePart(leg);
    } catch (error) {
      // "requested WAL segment … has already been removed"
      if ((error as NodeJS.ErrnoException).code !== UNDEFINED_FILE) throw error;
      if (isLast && kept <= leg.from) throw error;
      this.options.onGap?.('The server no longer has the log that was not stored.');
      if (isLast) await this.receivePart({ ...leg, from: kept });
    }
  }

  private async receivePart(leg: LogLeg): Promise<void> {
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

  /** Until it is stopped or, where the leg has an end, until all of it is there. */
  private async storeSegments(stream: WalStream, { timeline, from, until }: LogLeg): Promise<void> {
    const { archive } = this.options.store;
    const { segmentBytes } = archive;
    this.stored = this.received = startOf(from, segmentBytes);
    const noteReceived = (position: bigint): void => {
      if (this.received <= this.stored && position > this.stored) this.segmentBegunAt = performance.now();
      this.received = position;
    };
    for await (const { number, content } of cutSegments(stream, from, segmentBytes, noteReceived)) {
      const end = startOf(number + 1n, segmentBytes);
      await archive.store({ timeline, number }, content, this.lastCommitBefore(end));
      this.stored = end;
      stream.confirm(end);
      if (number + 1n === until) return;
    }
  }

  /** What is to be received; how the server's timeline came about is stored on the way. */
  private async legs(kept: bigint, last: bigint | undefined): Promise<LogLeg[]> {
    const { source, store } = this.options;
    const connection = await source.connectForStream();
    try {
      await store.assertOf(connection);
      const { timeline, segmentBytes } = connection;
      const history = timeline === 1 ? [] : await this.storeHistory(connection);
      const stored = new Map<number, bigint>();
      for (const one of [...history.map((left) => left.timeline), timeline]) {
        const newest = (await store.archive.list(one)).at(-1);
        if (newest) stored.set(one, newest.number);
      }
      const legs = legsToReceive({ timeline, history, segmentBytes }, stored, kept);
      return last === undefined ? legs : legs.map((leg) => endingWith(leg, last));
    } finally {
      await connection.client.end().catch(() => undefined);
    }
  }

  private async storeHistory({ client, timeline }: ReplicationConnection): Promise<Timeline['history']> {
    const { rows } = await client.query<{ content: Buffer | string }>(`TIMELINE_HISTORY ${timeline}`);
    const content = Buffer.from(rows[0]!.content);
    const { source, store } = this.options;
    const name = nameOfHistory(timeline);
    await store.archive.storeHistory(name, content, await source.timelineBegunAt(name));
    return parseHistory(content.toString('utf8'));
  }

  /** The newest heartbeat that lies before a position; those before are done with. */
  private lastCommitBefore(position: bigint): Date | undefined {
    const before = this.heartbeats.filter((heartbeat) => heartbeat.position <= position);
    this.heartbeats = this.heartbeats.filter((heartbeat) => heartbeat.position > position);
    return before.at(-1)?.at;
  }
}

/** The last segment is taken although it is stored: another receiver may not have known of the commit at its end. */
function endingWith(leg: LogLeg, last: bigint): LogLeg {
  return leg.until === undefined ? { ...leg, from: leg.from > last ? last : leg.from, until: last + 1n } : leg;
}
