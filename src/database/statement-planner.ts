import { randomBytes } from 'node:crypto';
import { types } from 'node:util';
import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import { InvalidInputError } from '../common/errors';
import { asDomainError, sqlState } from './database-errors';
import { LOGINS } from './login-definitions';
import type { PoolName } from './pool-name';
import { Pools } from './pools';

/** Planning takes milliseconds; who alters a table meanwhile is not queued behind. */
const STATEMENT_TIMEOUT_MS = 2_000;
const LOCK_TIMEOUT_MS = 500;

/** SQLSTATE classes by which PostgreSQL says that the statement is at fault: no such feature, wrong data, syntax or rights. */
const STATEMENT_AT_FAULT = /^(0A|22|42)/;

/** PostgreSQL says with it of which parameter it cannot tell the type. */
const INDETERMINATE_TYPE = '42P18';
const MAX_PARAMETERS = 200;

/** What pg takes and its types do not tell: `extended` has the server refuse more than one statement in a text. */
type ExtendedQuery = pg.QueryConfig & { queryMode: 'extended' };

/** Says how PostgreSQL would run a statement, without running it. */
@Injectable()
export class StatementPlanner {
  constructor(private readonly pools: Pools) {}

  /** The pool under whose login a statement of `login` is planned: its rights and its row-level security are those. */
  poolOf(login: string): PoolName | undefined {
    return (['app', 'platform'] as const).find((pool) => LOGINS[pool].name === login);
  }

  /**
   * The generic plan of a statement with placeholders, as `EXPLAIN (FORMAT JSON)` has it. PREPARE takes nothing but SELECT,
   * INSERT, UPDATE, DELETE, MERGE and VALUES, on every version from 14 on; EXPLAIN of what it prepared asks for no values.
   * @throws InvalidInputError `statement_not_plannable` with PostgreSQL's reason
   * @throws UnavailableError when the database cannot be reached in time
   */
  async plan(pool: PoolName, statement: string): Promise<object> {
    try {
      const client = await this.pools[pool].connect();
      let fault: Error | undefined;
      try {
        return await planOn(client, statement);
      } catch (error) {
        fault = error as Error;
        throw error;
      } finally {
        client.release(fault);
      }
    } catch (error) {
      if (types.isNativeError(error) && STATEMENT_AT_FAULT.test(sqlState(error) ?? ''))
        throw notPlannable(error.message);
      throw asDomainError(error);
    }
  }
}

/** It cannot be planned, and why. The words are PostgreSQL's own or ours; they quote no value, since the text has none. */
export function notPlannable(reason: string): InvalidInputError {
  const message = `This statement cannot be planned: ${reason}.`;
  return new InvalidInputError(
    [{ pointer: '/path/fingerprint', code: 'not_plannable', message }],
    'statement_not_plannable',
  );
}

async function planOn(client: pg.PoolClient, statement: string): Promise<object> {
  const name = `tenantry_plan_${randomBytes(6).toString('hex')}`; // behind a pooler, another's may stand there
  await client.query(
    `BEGIN READ ONLY; SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
     SET LOCAL plan_cache_mode = force_generic_plan; SAVEPOINT begun`,
  );
  try {
    await prepare(client, name, statement);
    try {
      return await explain(client, name);
    } finally {
      // A prepared statement outlives its transaction, and in a failed one nothing else can be said.
      await client.query(`ROLLBACK TO SAVEPOINT begun; DEALLOCATE ${name}`);
    }
  } finally {
    await client.query('ROLLBACK');
  }
}

/**
 * PREPARE infers the types of the placeholders. Where a text constant stood that fits anything, such as a key of
 * jsonb_build_object, it can't: those become text, one after the other, as it names them.
 */
async function prepare(client: pg.PoolClient, name: string, statement: string): Promise<void> {
  const declaredTypes: string[] = [];
  for (;;) {
    const declared = declaredTypes.length > 0 ? ` (${declaredTypes.join(', ')})` : '';
    try {
      await client.query({
        text: `PREPARE ${name}${declared} AS ${statement}`,
        queryMode: 'extended',
      } as ExtendedQuery);
      return;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      const number = Number(/\$(\d+)/.exec(message)?.[1]);
      const isHopeless =
        code !== INDETERMINATE_TYPE || !(number <= MAX_PARAMETERS) || declaredTypes[number - 1] === 'text';
      if (isHopeless) throw error;
      while (declaredTypes.length < number) declaredTypes.push('unknown');
      declaredTypes[number - 1] = 'text';
      await client.query('ROLLBACK TO SAVEPOINT begun');
    }
  }
}

async function explain(client: pg.PoolClient, name: string): Promise<object> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT cardinality(parameter_types) AS count FROM pg_prepared_statements WHERE name = $1',
    [name],
  );
  const values = Array.from({ length: rows[0]!.count }, () => 'NULL').join(', ');
  const explained = await client.query<{ 'QUERY PLAN': [{ Plan: object }] }>(
    `EXPLAIN (FORMAT JSON) EXECUTE ${name}${values && `(${values})`}`,
  );
  return explained.rows[0]!['QUERY PLAN'][0].Plan;
}
