import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { newId } from '../common/id';
import { StartupError } from '../common/errors';
import type { Batching } from './batching-client';
import type { BoundedPool } from './bounded-pool';
import { newScope, within } from './database-scope';

/** From the fastest to the one that works with everything. */
const WAYS: readonly Batching[] = [
  { areBatched: true, areNamed: true },
  { areBatched: true, areNamed: false },
  { areBatched: false, areNamed: false },
];
const ROUNDS = 3;
const CURRENT = "SELECT current_setting('app.tenant_id', true) AS tenant";

const logger = new Logger('Database');

/** A statement had not the tenant that was set for it. */
class WrongTenantError extends Error {
  /** Was there another one? Then whatever is asked here could be another's. */
  constructor(
    readonly isMixed: boolean,
    where: string,
  ) {
    super(isMixed ? `another tenant was set ${where}` : `no tenant was set ${where}`);
  }
}

/**
 * Finds out by trying, with two tenants that nobody has, how the tenant may travel to this server and through what stands
 * before it, and has the pool send it so.
 * @throws StartupError when tenants mix, or even a plain transaction has no tenant
 */
export async function chooseBatching(pool: BoundedPool): Promise<void> {
  const chosen = await firstThatWorks(pool).catch((error: unknown) => {
    if (error instanceof StartupError) throw error;
    logger.warn(`How tenants travel on the pool "${pool.name}" is not known: ${String(error)}`);
    return WAYS.at(-1)!;
  });
  Object.assign(pool.batching, chosen);
}

async function firstThatWorks(pool: BoundedPool): Promise<Batching> {
  const isCitus = await hasCitus(pool);
  for (const way of WAYS) {
    if (way.areBatched && isCitus) continue; // set_config() does not reach its workers, SET LOCAL does
    Object.assign(pool.batching, way);
    try {
      if (way.areNamed && !(await keepsNames(pool))) continue;
      for (let round = 0; round < ROUNDS; round += 1) await Promise.all([assertApart(pool), assertApart(pool)]);
      if (!way.areBatched) warn(pool, isCitus);
      return way;
    } catch (error) {
      if (error instanceof WrongTenantError && (error.isMixed || !way.areBatched)) {
        throw new StartupError(
          `Tenantry will not serve: through the pool "${pool.name}" ${error.message}.\n` +
            'A pooler must keep a transaction on one connection of the server: transaction or session mode.',
        );
      }
      logger.debug(`${JSON.stringify(way)} does not work on the pool "${pool.name}": ${String(error)}`);
      if (!way.areBatched) throw error;
    }
  }
  throw new Error('no way works');
}

function warn(pool: BoundedPool, isCitus: boolean): void {
  const reason = isCitus ? 'Citus needs it' : 'the server, or a pooler before it, does not take more at once';
  logger.warn(`Each statement of the pool "${pool.name}" takes a transaction of several round trips: ${reason}.`);
}

async function hasCitus(pool: BoundedPool): Promise<boolean> {
  const { rows } = await pool.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') AS found`,
  );
  return rows[0]!.found;
}

/**
 * Is a named statement there when it is wanted? Certainly on a connection of our own. A pooler that knows of names gives them
 * others; one that does not (PgBouncer before 1.21) leaves ours on whichever connection of the server it was using.
 */
async function keepsNames(pool: BoundedPool): Promise<boolean> {
  const client = await pool.connect();
  let fault: Error | undefined;
  try {
    const { processID } = client as unknown as { processID: number };
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    if (rows[0]!.pid === processID) return true;
    const probe = `SELECT '${randomBytes(8).toString('hex')}' AS probe`;
    await client.query('BEGIN');
    await client.query({ text: probe });
    const { rows: found } = await client.query<{ name: string }>(
      "SELECT name FROM pg_prepared_statements WHERE statement = $1 AND name LIKE 'tenantry\\_%'",
      [probe],
    );
    for (const { name } of found) await client.query(`DEALLOCATE ${name}`);
    await client.query('COMMIT');
    return found.length === 0;
  } catch (error) {
    fault = error as Error;
    throw error;
  } finally {
    client.release(fault && true);
  }
}

/** A statement, one that fails, and a transaction, each of a tenant of its own, and after each there is none. */
async function assertApart(pool: BoundedPool): Promise<void> {
  const tenantId = newId();
  const scope = newScope(tenantId);
  const single = async (text: string): Promise<string | null> => {
    const { rows } = await pool.query<{ tenant: string | null }>({ text });
    return rows[0]!.tenant;
  };
  assertIs(tenantId, await within(scope, () => single(CURRENT)), 'in a statement');
  assertIs('', await single(CURRENT), 'after a statement');
  const failing = within(scope, () => single("SELECT 1 / (length(current_setting('app.tenant_id')) - 36) AS tenant"));
  await failing.then(
    () => {
      throw new WrongTenantError(false, 'in a statement that fails');
    },
    (error: { code?: string }) => {
      if (error.code !== '22012') throw error;
    },
  );
  assertIs('', await single(CURRENT), 'after a statement that failed');
  for (const tenant of await within(scope, () => inTransaction(pool))) assertIs(tenantId, tenant, 'in a transaction');
  assertIs('', await single(CURRENT), 'after a transaction');
}

async function inTransaction(pool: BoundedPool): Promise<(string | null)[]> {
  const client = await pool.connect();
  let fault: Error | undefined;
  try {
    await client.query({ text: 'BEGIN' });
    const seen: (string | null)[] = [];
    for (let count = 0; count < 2; count += 1) {
      const { rows } = await client.query<{ tenant: string | null }>({ text: CURRENT });
      seen.push(rows[0]!.tenant);
    }
    await client.query({ text: 'COMMIT' });
    return seen;
  } catch (error) {
    fault = error as Error;
    throw error;
  } finally {
    client.release(fault && true);
  }
}

function assertIs(expected: string, found: string | null, where: string): void {
  if ((found ?? '') !== expected) throw new WrongTenantError(Boolean(found), where);
}
