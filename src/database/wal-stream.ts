import type pg from 'pg';
import type { ReplicationConnection } from './replication-connection';

/** A piece of the write-ahead log, and how far the server has got. */
export interface WalPiece {
  /** Of its first byte. */
  position: bigint;
  data: Buffer;
  serverPosition: bigint;
}

/** Streaming has reached the end of a timeline: the server went over to another one (a promotion). */
export interface TimelineEnd {
  nextTimeline: number;
  nextPosition: bigint;
}

/** Whoever takes it in slower than the server sends holds up the server, not memory. */
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;
/** Well within `wal_sender_timeout` (60 s), after which the server gives up on us. */
const STATUS_INTERVAL_MS = 10_000;
/** PostgreSQL counts microseconds from 2000-01-01. */
const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);
const XLOG_DATA = 'w'.charCodeAt(0);
const XLOG_HEADER_BYTES = 25;
const KEEPALIVE = 'k'.charCodeAt(0);
const STATUS = 'r'.charCodeAt(0);
const STATUS_BYTES = 34;

/** What pg.Connection has and its types do not tell (pg 8.23.1; package.json pins it). */
interface Wire {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  stream: { pause(): void; resume(): void; destroy(): void };
}

/**
 * The write-ahead log as it is written, over a replication connection (PostgreSQL manual, 53.4, START_REPLICATION). The
 * server keeps in its slot what was not confirmed; so nothing is lost while nobody receives.
 */
export class WalStream implements AsyncIterable<WalPiece> {
  /** Set when the stream has ended because its timeline has. */
  timelineEnd: TimelineEnd | undefined;
  private readonly queue: WalPiece[] = [];
  private queuedBytes = 0;
  private isPaused = false;
  private isDone = false;
  private isClosed = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private wire: Wire | undefined;
  private confirmed: bigint;
  private serverPosition = 0n;
  private readonly client: pg.Client;

  /** @param position where to begin: the start of a segment, so that segments come whole */
  constructor(
    connection: ReplicationConnection,
    private readonly slot: string,
    position: bigint,
    private readonly timeline: number,
  ) {
    this.client = connection.client;
    this.confirmed = position;
  }

  /** Everything before `position` is safe with us: the server may forget it. */
  confirm(position: bigint): void {
    if (position > this.confirmed) this.confirmed = position;
    this.sendStatus();
  }

  /** Ends the iteration; what has not been taken is dropped. */
  close(): void {
    this.isClosed = true;
    this.queue.length = 0;
    this.wake?.();
  }

  /** How far the server was when it last said so. */
  get serverAt(): bigint {
    return this.serverPosition;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WalPiece> {
    this.client.query(this as never);
    const onEnd = (): void => this.fail(new Error('The connection was lost.'));
    this.client.once('end', onEnd);
    const timer = setInterval(() => this.sendStatus(), STATUS_INTERVAL_MS);
    try {
      for (;;) {
        while (this.queue.length > 0) {
          const piece = this.queue.shift()!;
          this.queuedBytes -= piece.data.length;
          this.flow();
          yield piece;
        }
        if (this.failure) throw this.failure;
        if (this.isDone || this.isClosed) return;
        await new Promise<void>((resolve) => (this.wake = resolve));
      }
    } finally {
      clearInterval(timer);
      this.client.removeListener('end', onEnd);
      if (!this.isDone) this.wire?.stream.destroy(); // the log goes on without end; nothing else can be asked here
    }
  }

  // What pg calls: a "submittable".

  submit(connection: Wire): void {
    this.wire = connection;
    connection.query(
      `START_REPLICATION SLOT "${this.slot}" PHYSICAL ${formatLsn(this.confirmed)} TIMELINE ${this.timeline}`,
    );
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (this.isClosed) return;
    const [kind] = chunk;
    if (kind === XLOG_DATA) {
      this.serverPosition = chunk.readBigUInt64BE(9);
      const data = Buffer.from(chunk.subarray(XLOG_HEADER_BYTES)); // pg writes the next message into the same memory
      this.queue.push({ position: chunk.readBigUInt64BE(1), data, serverPosition: this.serverPosition });
      this.queuedBytes += data.length;
      this.flow();
      this.wake?.();
    } else if (kind === KEEPALIVE) {
      this.serverPosition = chunk.readBigUInt64BE(1);
      if (chunk.readUInt8(17) === 1) this.sendStatus();
    }
  }

  handleRowDescription(): void {}

  /** Only at the end of a timeline: which one comes next, and from where on. */
  handleDataRow({ fields }: { fields: (Buffer | string | null)[] }): void {
    this.timelineEnd = { nextTimeline: Number(fields[0]), nextPosition: parseLsn(String(fields[1])) };
  }

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.isDone = true;
    this.wake?.();
  }

  handleError(error: Error): void {
    this.fail(error);
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}

  /** "Standby status update": written, flushed and applied are the same to us, as what is not stored does not count. */
  private sendStatus(): void {
    if (!this.wire || this.isDone || this.failure) return;
    const message = Buffer.alloc(STATUS_BYTES);
    message.writeUInt8(STATUS, 0);
    for (const offset of [1, 9, 17]) message.writeBigUInt64BE(this.confirmed, offset);
    message.writeBigInt64BE(BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1000n, 25);
    this.wire.sendCopyFromChunk(message);
  }

  private flow(): void {
    const isFull = this.queuedBytes > MAX_QUEUED_BYTES;
    if (isFull === this.isPaused) return;
    this.isPaused = isFull;
    if (isFull) this.wire?.stream.pause();
    else this.wire?.stream.resume();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.wake?.();
  }
}

/** `16/B374D848` as a number of bytes. */
export function parseLsn(text: string): bigint {
  const [high = '', low = ''] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

export function formatLsn(position: bigint): string {
  return `${(position >> 32n).toString(16)}/${(position & 0xffffffffn).toString(16)}`.toUpperCase();
}
