import type pg from 'pg';
import type { AbandonableConnection } from './abandonable-client';
import type { DatabaseScope } from './database-scope';
import { type BatchCallback, type BatchStatement, type PreparedStatements, StatementBatch } from './statement-batch';
import { statementName } from './statement-names';

type AnyFunction = (...args: unknown[]) => unknown;

/** How a pool may send statements: what tenant-canary.ts has found out about the server and what stands before it. */
export interface Batching {
  /** Several statements with one Sync. Otherwise one by one, between BEGIN and COMMIT. */
  areBatched: boolean;
  /** Prepared under names. */
  areNamed: boolean;
}

/** What the pool asks of a connection of its own. */
export interface BatchingConnection {
  /** Sends statements in one write. Outside of a transaction they are one themselves, of the tenant. */
  sendBatch(statements: readonly BatchStatement[], scope: DatabaseScope | undefined): Promise<pg.QueryResult[]>;
  /** What begins on it from now on is of this scope. */
  lease(scope: DatabaseScope | undefined): void;
  /** Has a transaction begun on it that has not ended? */
  readonly isInTransaction: boolean;
}

/** What pg.Client has and its types do not tell. */
interface Internals {
  connection: { on(event: 'parseComplete', listener: () => void): void };
  _getActiveQuery(): unknown;
  getTransactionStatus(): 'I' | 'T' | 'E' | null;
}

const NO_RESULT = { command: '', rowCount: 0, oid: 0, rows: [], fields: [] } satisfies pg.QueryResult;
const ISOLATION = /^SET TRANSACTION (ISOLATION LEVEL [A-Z ]+)$/i;
const TRANSACTION_END = /^(COMMIT|ROLLBACK)$/;
const SET_TENANT = "SELECT set_config('app.tenant_id', $1, true)";

/**
 * A connection that sends the tenant and what is of it together. A transaction's BEGIN waits for its first statement and goes
 * with it, with the tenant between the two, so that n statements take n + 1 round trips.
 */
export function batchingClient(Client: typeof pg.Client, batching: Batching): typeof pg.Client {
  return class BatchingClient extends Client implements BatchingConnection {
    private readonly prepared: PreparedStatements = new Map();
    private scope: DatabaseScope | undefined;
    /** BEGIN, with its isolation level, while it waits for the first statement. */
    private begin: string | undefined;
    /** What the server says of it comes later than an error. */
    private hasBegun = false;

    constructor(config: pg.ClientConfig) {
      super(config);
      const internals = this as unknown as Internals;
      internals.connection.on('parseComplete', () => {
        const active = internals._getActiveQuery();
        if (active instanceof StatementBatch) active.handleParseComplete();
      });
    }

    get isInTransaction(): boolean {
      const status = (this as unknown as Internals).getTransactionStatus();
      return this.hasBegun || status === 'T' || status === 'E';
    }

    lease(scope: DatabaseScope | undefined): void {
      this.scope = scope;
      this.begin = undefined;
    }

    sendBatch(statements: readonly BatchStatement[], scope: DatabaseScope | undefined): Promise<pg.QueryResult[]> {
      const before = scope?.tenantId === undefined ? [] : [setTenant(scope.tenantId)];
      const isOne = batching.areBatched || (before.length === 0 && statements.length === 1);
      return isOne ? this.send([...before, ...statements], scope) : this.sendTransaction(statements, scope);
    }

    private async sendTransaction(
      statements: readonly BatchStatement[],
      scope: DatabaseScope | undefined,
    ): Promise<pg.QueryResult[]> {
      this.lease(scope);
      this.begin = 'BEGIN';
      try {
        const results: pg.QueryResult[] = [];
        for (const statement of statements) results.push(await this.ask(statement));
        await this.ask({ text: 'COMMIT' });
        return results;
      } catch (error) {
        await this.ask({ text: 'ROLLBACK' }).catch(() => undefined); // the connection is dropped then
        throw error;
      }
    }

    // pg takes promises, callbacks and submittable objects; what is no plain object of one statement passes through unchanged.
    override query(...args: unknown[]): never {
      const [statement, callback] = args;
      if (!isStatement(statement) || (callback !== undefined && typeof callback !== 'function')) {
        // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
        return Reflect.apply(super.query as AnyFunction, this, args) as never;
      }
      const answer = this.ask(statement);
      if (!callback) return answer as never;
      answer.then(
        (result) => (callback as AnyFunction)(null, result),
        (error: unknown) => (callback as AnyFunction)(error),
      );
      return undefined as never;
    }

    private async ask({ text, values, rowMode, types }: BatchStatement): Promise<pg.QueryResult> {
      if (text === 'BEGIN') return this.beginLater();
      if (this.begin !== undefined) {
        const [, isolation] = ISOLATION.exec(text) ?? [];
        if (isolation) return this.beginLater(isolation);
        if (text === 'ROLLBACK' || (text === 'COMMIT' && !this.scope?.atEnd.length)) {
          this.begin = undefined;
          return NO_RESULT; // nothing has begun
        }
      }
      const { abandoned } = this as Partial<AbandonableConnection>;
      if (abandoned && text === 'COMMIT') {
        // BEGIN may have waited in a pooler together with the first statement until nobody wanted it any more.
        await this.ask({ text: 'ROLLBACK' });
        throw abandoned;
      }
      const { scope } = this;
      const atEnd =
        text === 'COMMIT' && scope ? scope.atEnd.map((statement) => ({ ...statement, isSilent: true })) : [];
      const all = [...this.takeBegin(), ...atEnd, { text, values, rowMode, types }];
      try {
        if (!batching.areBatched) {
          for (const first of all.splice(0, all.length - 1)) await this.send([first], scope);
        }
        const [result] = await this.send(all, scope);
        if (scope) scope.hasAnswer = true;
        if (TRANSACTION_END.test(text)) this.hasBegun = false;
        return result!;
      } catch (error) {
        // Nobody rolls back what he has committed.
        if (text === 'COMMIT') await this.ask({ text: 'ROLLBACK' }).catch(() => undefined);
        throw error;
      }
    }

    private async beginLater(isolation?: string): Promise<pg.QueryResult> {
      this.begin = isolation ? `BEGIN ${isolation}` : 'BEGIN';
      return NO_RESULT;
    }

    /** What goes before a transaction's first statement. */
    private takeBegin(): BatchStatement[] {
      if (this.begin === undefined) return [];
      const texts = [this.begin];
      // SET LOCAL, not set_config(): only the statement reaches the workers of a Citus cluster. It takes no parameters.
      if (this.scope?.tenantId !== undefined) texts.push(`SET LOCAL app.tenant_id = '${this.scope.tenantId}'`);
      this.begin = undefined;
      this.hasBegun = true;
      return texts.map((text) => ({ text, isSilent: true }));
    }

    private send(statements: readonly BatchStatement[], scope: DatabaseScope | undefined): Promise<pg.QueryResult[]> {
      const nameOf = batching.areNamed && !scope?.isUnnamed ? statementName : unnamed;
      return new Promise((resolve, reject) => {
        const batch = new StatementBatch(statements, this.prepared, nameOf);
        const done: BatchCallback = (error, results) => {
          if (!error) return resolve(results!);
          if (scope && batch.isRun) scope.hasAnswer = true;
          reject(error);
        };
        if (scope) scope.wasSent = true;
        // oxlint-disable-next-line typescript/unbound-method -- applied to this at once
        Reflect.apply(super.query as AnyFunction, this, [batch, done]);
      });
    }
  };
}

const unnamed = (): undefined => undefined;

function isStatement(statement: unknown): statement is BatchStatement {
  const config = Object(statement) as { text?: unknown; submit?: unknown; rows?: unknown; binary?: unknown };
  return typeof config.text === 'string' && !config.submit && !config.rows && !config.binary;
}

function setTenant(tenantId: string): BatchStatement {
  return { text: SET_TENANT, values: [tenantId], isSilent: true };
}
