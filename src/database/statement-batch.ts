import pg from 'pg';
import { serialize } from 'pg-protocol';
import { type Field, RowShape } from './row-shape';

/** One statement of a batch. */
export interface BatchStatement {
  text: string;
  values?: readonly unknown[] | undefined;
  rowMode?: 'array' | undefined;
  types?: pg.CustomTypesConfig | undefined;
  /** Only its success matters, as that of BEGIN: nothing is asked of its rows. */
  isSilent?: boolean;
}

export type BatchCallback = (error: Error | null, results?: pg.QueryResult[]) => void;

/** What pg's connection has and its types do not tell. */
interface Wire {
  stream: { writable: boolean; write(bytes: Buffer): void };
  sendCopyFail(reason: string): void;
}

/** What pg has and its types do not tell (8.23.1; package.json pins it). */
const { utils } = pg as unknown as { utils: { prepareValue(value: unknown): unknown } };

/** A statement that a connection has prepared. */
interface PreparedStatement {
  /**
   * Of its rows, once it is known. It cannot change: PostgreSQL refuses a prepared statement whose rows would be others (0A000).
   */
  shape: RowShape | undefined;
  /** The higher, the later. */
  usedAt: number;
}

/**
 * Those of one connection. Their order in the map says nothing: putting the one used last in its place each time would make V8
 * replace the map's table with each second statement, and keep what hung on the former one alive for long.
 */
export type PreparedStatements = Map<string, PreparedStatement>;

/** So many are kept on each connection; beyond, the one used longest ago is closed. A plan takes some tens of kilobytes. */
const MAX_PREPARED = 250;

const DESCRIBE = serialize.describe({ type: 'P', name: '' });
const EXECUTE = serialize.execute({ portal: '' });
const SYNC = serialize.sync();
/** `SELECT 3`, `INSERT 0 3`, `BEGIN` (PostgreSQL manual, 54.7, CommandComplete). */
const COMMAND_TAG = /^([A-Za-z]+)(?:.*? (\d+))?$/;

/** How often prepared statements were used in this process. */
let uses = 0;

/**
 * Several statements in one write, with one Sync at their end, so one round trip. Up to a Sync PostgreSQL takes everything as
 * one transaction (manual, 54.2.3: "implicit transaction block"): all of them happen or none, and what is set for the
 * transaction, as the tenant, holds for the statements after it and is gone when the server is ready again.
 *
 * pg.Client runs it as it runs its own queries: it calls the `handle…` methods, and `callback` must be set.
 */
export class StatementBatch {
  callback: BatchCallback | undefined;
  readonly results: pg.QueryResult[] = [];
  private readonly values: unknown[][];
  private readonly names: (string | undefined)[];
  /** Names in the order in which their statements are parsed; undefined: one without a name. */
  private readonly parsing: (string | undefined)[] = [];
  private place = 0;
  private shape: RowShape | undefined;
  private rows: unknown[] = [];
  private fault: Error | undefined;

  /**
   * @param nameOf a text: under which it is prepared once for each connection, and known from then on. Undefined: it is parsed each time
   * @throws Error for a value that PostgreSQL has no form for, before anything is sent
   */
  constructor(
    private readonly statements: readonly BatchStatement[],
    private readonly prepared: PreparedStatements,
    nameOf: (text: string) => string | undefined,
  ) {
    this.names = statements.map(({ text }) => nameOf(text));
    this.values = statements.map(({ values = [] }) => values.map((value) => utils.prepareValue(value)));
  }

  /** The last one: what the batch is about. */
  get text(): string {
    return this.statements.at(-1)!.text;
  }

  /** Has the server run all of it? Whether it is committed, too, is known when the server is ready again. */
  get isRun(): boolean {
    return this.place === this.statements.length;
  }

  /** In one piece: several writes would be one system call all the same, but a dear one. */
  submit({ stream }: Wire): null {
    if (!stream.writable) return null; // its end says so to whoever waits
    const messages: Buffer[] = [];
    this.makeRoom(messages);
    for (let place = 0; place < this.statements.length; place += 1) {
      this.add(messages, place);
    }
    messages.push(SYNC);
    stream.write(Buffer.concat(messages));
    return null;
  }

  private add(messages: Buffer[], place: number): void {
    const { text, isSilent } = this.statements[place]!;
    const name = this.names[place];
    const isPrepared = name !== undefined && this.isPrepared(name);
    if (!isPrepared) {
      messages.push(serialize.parse({ name: name ?? '', text }));
      this.parsing.push(name);
    }
    messages.push(serialize.bind({ statement: name ?? '', values: this.values[place]! }));
    if (!isSilent && !(isPrepared && this.prepared.get(name)?.shape)) messages.push(DESCRIBE);
    messages.push(EXECUTE);
  }

  private isPrepared(name: string): boolean {
    const prepared = this.prepared.get(name);
    if (prepared) prepared.usedAt = uses += 1;
    return prepared !== undefined || this.parsing.includes(name);
  }

  /** Closing comes before all that could fail, so that it certainly happens: what is forgotten here is gone there. */
  private makeRoom(messages: Buffer[]): void {
    if (this.prepared.size + this.statements.length <= MAX_PREPARED) return;
    const used = new Set(this.names);
    const closing = [...this.prepared]
      .filter(([name]) => !used.has(name))
      .toSorted(([, one], [, other]) => one.usedAt - other.usedAt);
    for (const [name] of closing.slice(0, this.statements.length)) {
      messages.push(serialize.close({ type: 'S', name }));
      this.prepared.delete(name);
    }
  }

  /** The server has parsed the next of the statements that were to be parsed: it keeps it whatever happens after. */
  handleParseComplete(): void {
    const name = this.parsing.shift();
    if (name !== undefined) this.prepared.set(name, { shape: undefined, usedAt: (uses += 1) });
  }

  handleRowDescription({ fields }: { fields: Field[] }): void {
    this.shape = new RowShape(fields);
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const { isSilent, types = pg.types, rowMode } = this.statements[this.place]!;
    if (this.fault || isSilent) return;
    try {
      this.rows.push(this.currentShape().parse(fields, types, rowMode));
    } catch (error) {
      this.fault = error as Error; // told when the server is ready again
    }
  }

  handleCommandComplete({ text }: { text: string }): void {
    this.finish(text);
  }

  handleEmptyQuery(): void {
    this.finish('');
  }

  handleCopyInResponse(connection: Wire): void {
    connection.sendCopyFail('No source stream defined');
  }

  handleCopyData(): void {} // nothing of ours copies

  handleError(error: Error): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.callback?.(this.fault ?? null, this.results);
  }

  private currentShape(): RowShape {
    const name = this.names[this.place];
    return (this.shape ??= (name !== undefined && this.prepared.get(name)?.shape) || RowShape.NONE);
  }

  private finish(tag: string): void {
    const name = this.names[this.place];
    if (!this.statements[this.place]!.isSilent) {
      const shape = this.currentShape();
      const prepared = name === undefined ? undefined : this.prepared.get(name);
      if (prepared) prepared.shape = shape;
      const [, command = '', count] = COMMAND_TAG.exec(tag) ?? [];
      const rowCount = count === undefined ? null : Number(count);
      this.results.push({ command, oid: 0, rowCount, fields: shape.fields, rows: this.rows as pg.QueryResultRow[] });
      this.rows = [];
    }
    this.shape = undefined;
    this.place += 1;
  }
}
