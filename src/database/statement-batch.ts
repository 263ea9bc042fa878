import pg from 'pg';

/** One statement of a batch. */
export interface BatchStatement {
  text: string;
  values?: readonly unknown[] | undefined;
  /** Prepared under it once for each connection, and known by it from then on. Undefined: parsed each time. */
  name?: string | undefined;
  rowMode?: 'array' | undefined;
  types?: pg.CustomTypesConfig | undefined;
  /** Only its success matters, as that of BEGIN: nothing is asked of its rows. */
  isSilent?: boolean;
}

export type BatchCallback = (error: Error | null, results?: pg.QueryResult[]) => void;

/** The messages of the extended protocol (PostgreSQL manual, 54.2.3), as pg's connection sends them. */
interface Protocol {
  stream: { cork(): void; uncork(): void };
  parse(message: { name?: string | undefined; text: string }): void;
  bind(message: { statement?: string | undefined; values: unknown[] }): void;
  describe(message: { type: 'P'; name: string }): void;
  execute(message: { portal: string }): void;
  close(message: { type: 'S'; name: string }): void;
  sync(): void;
  sendCopyFail(reason: string): void;
}

/** What pg has and its types do not tell (8.23.1; package.json pins it). */
interface ResultBuilder extends pg.QueryResult<never> {
  addFields(fields: unknown[]): void;
  parseRow(columns: unknown[]): never;
  addRow(row: never): void;
  addCommandComplete(message: unknown): void;
}
const { Result, utils } = pg as unknown as {
  Result: new (rowMode: 'array' | undefined, types: unknown) => ResultBuilder;
  utils: { prepareValue(value: unknown): unknown };
};

/** The prepared statements of one connection; the one used longest ago comes first. */
export type PreparedStatements = Set<string>;

/** So many are kept on each connection; beyond, the one used longest ago is closed. A plan takes some tens of kilobytes. */
const MAX_PREPARED = 250;

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
  /** Names in the order in which their statements are parsed; undefined: one without a name. */
  private readonly parsing: (string | undefined)[] = [];
  private place = 0;
  private current: ResultBuilder | undefined;
  private fault: Error | undefined;

  /** @throws Error for a value that PostgreSQL has no form for, before anything is sent */
  constructor(
    private readonly statements: readonly BatchStatement[],
    private readonly prepared: PreparedStatements,
  ) {
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

  submit(connection: Protocol): null {
    connection.stream.cork();
    try {
      this.makeRoom(connection);
      this.statements.forEach((statement, place) => this.send(connection, statement, this.values[place]!));
      connection.sync();
    } finally {
      connection.stream.uncork();
    }
    return null;
  }

  private send(connection: Protocol, { name, text, isSilent }: BatchStatement, values: unknown[]): void {
    if (name === undefined || !this.isPrepared(name)) {
      connection.parse({ name, text });
      this.parsing.push(name);
    }
    connection.bind({ statement: name, values });
    if (!isSilent) connection.describe({ type: 'P', name: '' });
    connection.execute({ portal: '' });
  }

  private isPrepared(name: string): boolean {
    if (this.parsing.includes(name)) return true;
    if (!this.prepared.delete(name)) return false;
    this.prepared.add(name); // as the one used last
    return true;
  }

  /** Closing comes before all that could fail, so that it certainly happens: what is forgotten here is gone there. */
  private makeRoom(connection: Protocol): void {
    if (this.prepared.size + this.statements.length <= MAX_PREPARED) return;
    const used = new Set(this.statements.map(({ name }) => name));
    const closing = [...this.prepared].filter((name) => !used.has(name));
    for (const name of closing.slice(0, this.statements.length)) {
      connection.close({ type: 'S', name });
      this.prepared.delete(name);
    }
  }

  /** The server has parsed the next of the statements that were to be parsed: it keeps it whatever happens after. */
  handleParseComplete(): void {
    const name = this.parsing.shift();
    if (name !== undefined) this.prepared.add(name);
  }

  handleRowDescription({ fields }: { fields: unknown[] }): void {
    this.result().addFields(fields);
  }

  handleDataRow({ fields }: { fields: unknown[] }): void {
    if (this.fault || this.statements[this.place]!.isSilent) return;
    const result = this.result();
    try {
      result.addRow(result.parseRow(fields));
    } catch (error) {
      this.fault = error as Error; // told when the server is ready again
    }
  }

  handleCommandComplete(message: unknown): void {
    const result = this.result();
    result.addCommandComplete(message);
    this.finish(result);
  }

  handleEmptyQuery(): void {
    this.finish(this.result());
  }

  handleCopyInResponse(connection: Protocol): void {
    connection.sendCopyFail('No source stream defined');
  }

  handleCopyData(): void {} // nothing of ours copies

  handleError(error: Error): void {
    this.callback?.(error);
  }

  handleReadyForQuery(): void {
    this.callback?.(this.fault ?? null, this.results);
  }

  private result(): ResultBuilder {
    const { rowMode, types } = this.statements[this.place]!;
    return (this.current ??= new Result(rowMode, types ?? pg.types));
  }

  private finish(result: ResultBuilder): void {
    if (!this.statements[this.place]!.isSilent) this.results.push(result);
    this.current = undefined;
    this.place += 1;
  }
}
