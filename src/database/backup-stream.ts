import type pg from 'pg';
import { StartupError } from '../common/errors';
import { CopyQueue } from './copy-queue';
import type { ReplicationConnection } from './replication-connection';

/** What arrives, in its order: a new file begins, a piece of it, how far the server is. */
export type BaseBackupEvent =
  | { kind: 'start'; position: LogPosition; /** Bytes to come, by the server's estimate. */ totalBytes: number }
  | { kind: 'file'; name: 'base.tar' | 'backup_manifest' }
  | { kind: 'data'; chunk: Buffer }
  | { kind: 'end'; position: LogPosition };

/** A place in the write-ahead log. */
export interface LogPosition {
  lsn: string;
  timeline: number;
}

export interface BaseBackupOptions {
  label: string;
  /** `fast`: the checkpoint at once, for who waits; `spread`: in the background, for who does not. */
  checkpoint: 'fast' | 'spread';
}

const MAX_QUEUED_BYTES = 4 * 1024 * 1024;
const NEW_ARCHIVE = 'n'.charCodeAt(0);
const MANIFEST = 'm'.charCodeAt(0);
const DATA = 'd'.charCodeAt(0);

interface Row {
  fields: (Buffer | string | null)[];
}
/** What pg.Connection has and its types do not tell (pg 8.23.1; package.json pins it). */
interface Wire {
  query(text: string): void;
  stream: { pause(): void; resume(): void; destroy(error?: Error): void };
  on(event: string, listener: () => void): void;
  removeListener(event: string, listener: () => void): void;
}

/**
 * Takes a base backup over a replication connection (`replication: 'true'`; PostgreSQL manual, 53.4, BASE_BACKUP), with the
 * server's own manifest (SHA-256 of each file). PostgreSQL 14 to 18; the two forms of the answer look the same from here.
 * @throws StartupError when the cluster has tablespaces: they are not taken, and a backup without them is none
 * @throws Error pg's own, when the server refuses or the connection is lost
 */
export function streamBaseBackup(
  { client, serverMajor }: ReplicationConnection,
  options: BaseBackupOptions,
): AsyncIterable<BaseBackupEvent> {
  return new BaseBackup(client, serverMajor >= 15, options);
}

class BaseBackup implements AsyncIterable<BaseBackupEvent> {
  private readonly queue = new CopyQueue<BaseBackupEvent>(MAX_QUEUED_BYTES);
  private isDone = false;
  private wire: Wire | undefined;
  /** Which of the answer's tables the rows are of: start, tablespaces, end. */
  private table = -1;
  private tablespaces: Row['fields'][] = [];
  private startedAt: LogPosition | undefined;
  private filesBegun = 0;
  private readonly onCopyBegins = (): void => this.copyBegins();

  constructor(
    private readonly client: pg.Client,
    /** From PostgreSQL 15 on one copy holds all files, and a letter before each piece tells what it is. */
    private readonly sendsLetters: boolean,
    private readonly options: BaseBackupOptions,
  ) {}

  async *[Symbol.asyncIterator](): AsyncIterator<BaseBackupEvent> {
    this.client.query(this as never);
    const onEnd = (): void => this.queue.fail(new Error('The connection was lost in the middle of the backup.'));
    this.client.once('end', onEnd);
    try {
      yield* this.queue.events();
    } finally {
      this.client.removeListener('end', onEnd);
      // Whoever goes away before the end leaves a connection on which the rest would arrive: it is of no further use.
      if (!this.isDone) this.wire?.stream.destroy();
    }
  }

  // What pg calls: a "submittable".

  submit(connection: Wire): void {
    this.wire = connection;
    this.queue.stream = connection.stream;
    connection.on('copyOutResponse', this.onCopyBegins);
    connection.query(this.command());
  }

  handleRowDescription(): void {
    this.table += 1;
  }

  handleDataRow({ fields }: Row): void {
    if (this.table === 0) this.startedAt = positionIn(fields);
    else if (this.table === 1) this.tablespaces.push(fields);
    else this.queue.push({ kind: 'end', position: positionIn(fields) });
  }

  handleCommandComplete(): void {
    if (this.table !== 1 || !this.startedAt) return;
    const [first] = this.tablespaces;
    const totalBytes = this.tablespaces.length === 1 ? Number(first?.[2] ?? 0) * 1024 : 0;
    this.queue.push({ kind: 'start', position: this.startedAt, totalBytes });
    if (this.tablespaces.length > 1)
      this.queue.fail(
        new StartupError('The cluster has tablespaces of its own; the native engine does not back them up.'),
      );
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    if (!this.sendsLetters) return this.data(chunk);
    const [letter] = chunk;
    if (letter === NEW_ARCHIVE) this.queue.push({ kind: 'file', name: 'base.tar' });
    else if (letter === MANIFEST) this.queue.push({ kind: 'file', name: 'backup_manifest' });
    else if (letter === DATA) this.data(chunk.subarray(1));
  }

  handleReadyForQuery(): void {
    this.wire?.removeListener('copyOutResponse', this.onCopyBegins);
    this.isDone = true;
    this.queue.end();
  }

  handleError(error: Error): void {
    this.queue.fail(error);
  }

  handleEmptyQuery(): void {}
  handlePortalSuspended(): void {}
  handleCopyInResponse(): void {}

  /** Until PostgreSQL 14 each file is a copy of its own: first the cluster, then the manifest. */
  private copyBegins(): void {
    if (this.sendsLetters) return;
    this.filesBegun += 1;
    this.queue.push({ kind: 'file', name: this.filesBegun === 1 ? 'base.tar' : 'backup_manifest' });
  }

  private data(bytes: Buffer): void {
    // A copy: pg writes the next message into the same memory.
    this.queue.push({ kind: 'data', chunk: Buffer.from(bytes) }, bytes.length);
  }

  private command(): string {
    const label = `'${this.options.label.replaceAll("'", "''")}'`;
    return this.sendsLetters
      ? `BASE_BACKUP (LABEL ${label}, CHECKPOINT '${this.options.checkpoint}', PROGRESS true, WAIT false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'SHA256')`
      : `BASE_BACKUP LABEL ${label} PROGRESS ${this.options.checkpoint === 'fast' ? 'FAST ' : ''}NOWAIT MANIFEST 'yes' MANIFEST_CHECKSUMS 'SHA256'`;
  }
}

function positionIn([lsn, timeline]: Row['fields']): LogPosition {
  return { lsn: String(lsn), timeline: Number(timeline) };
}
