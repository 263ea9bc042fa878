import type pg from 'pg';
import { CopyQueue } from './copy-queue';
import type { ReplicationConnection } from './replication-connection';

/** A piece of the write-ahead log. */
export interface WalPiece {
  /** Of its first byte. */
  position: bigint;
  data: Buffer;
}

/** What comes while a segment is being stored waits with the server. */
const MAX_QUEUED_BYTES = 1024 * 1024;
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
  once(event: string, listener: () => void): void;
  stream: { pause(): void; resume(): void; destroy(): void };
}

/**
 * The write-ahead log as it is written, over a replication connection (PostgreSQL manual, 53.4, START_REPLICATION). The
 * server keeps in its slot what was not confirmed; so nothing is lost while nobody receives.
 */
export class WalStream implements AsyncIterable<WalPiece> {
  private readonly queue = new CopyQueue<WalPiece>(MAX_QUEUED_BYTES);
  private isDone = false;
  private wire: Wire | undefined;
  private confirmed: bigint;
  private readonly client: pg.Client;

  /**
   * @param slot what is confirmed is confirmed to it; undefined: the server keeps nothing for us
   * @param position where to begin: the start of a segment, so that segments come whole
   */
  constructor(
    connection: ReplicationConnection,
    private readonly slot: string | undefined,
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
    this.queue.close();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WalPiece> {
    this.client.query(this as never);
    const onEnd = (): void => this.queue.fail(new Error('The connection was lost.'));
    this.client.once('end', onEnd);
    const timer = setInterval(() => this.sendStatus(), STATUS_INTERVAL_MS);
    try {
      yield* this.queue.events();
    } finally {
      clearInterval(timer);
      this.client.removeListener('end', onEnd);
      if (!this.isDone) this.wire?.stream.destroy(); // the log goes on without end; nothing else can be asked here
    }
  }

  // What pg calls: a "submittable".

  submit(connection: Wire): void {
    this.wire = connection;
    this.queue.stream = connection.stream;
    connection.once('copyDone', () => this.queue.fail(new Error('The server has gone over to another timeline.')));
    const slot = this.slot === undefined ? '' : `SLOT "${this.slot}" `;
    connection.query(`START_REPLICATION ${slot}PHYSICAL ${formatLsn(this.confirmed)} TIMELINE ${this.timeline}`);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    const [kind] = chunk;
    if (kind === XLOG_DATA) {
      const data = Buffer.from(chunk.subarray(XLOG_HEADER_BYTES)); // pg writes the next message into the same memory
      this.queue.push({ position: chunk.readBigUInt64BE(1), data }, data.length);
    } else if (kind === KEEPALIVE && chunk.readUInt8(17) === 1) {
      this.sendStatus();
    }
  }

  handleRowDescription(): void {}

  handleDataRow(): void {}

  handleCommandComplete(): void {}

  handleReadyForQuery(): void {
    this.isDone = true;
    this.queue.end();
  }

  handleError(error: Error): void {
    this.isDone = true;
    this.queue.fail(error);
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}

  /** "Standby status update": written, flushed and applied are the same to us, as what is not stored does not count. */
  private sendStatus(): void {
    if (!this.wire || this.isDone) return;
    const message = Buffer.alloc(STATUS_BYTES);
    message.writeUInt8(STATUS, 0);
    for (const offset of [1, 9, 17]) message.writeBigUInt64BE(this.confirmed, offset);
    message.writeBigInt64BE(BigInt(Date.now() - POSTGRES_EPOCH_MS) * 1000n, 25);
    this.wire.sendCopyFromChunk(message);
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
