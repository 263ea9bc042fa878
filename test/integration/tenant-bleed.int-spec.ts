import { newId } from '../../src/common/id';
import type { TenantTx } from '../../src/database/tenant-db';
import { readCatalogue, type Query } from '../support/catalogue';
import { type Doors, openDoors } from '../support/doors';
import { pgBouncerProgram } from '../support/pgbouncer';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { Rows } from '../support/rows';

const TENANTS = 8;
const TRANSACTIONS = 1_000;
const CONCURRENCY = 20;
/** Through PgBouncer it is there that they meet on few connections. */
const POOL_SIZE = pgBouncerProgram() ? CONCURRENCY : 2;

class Abort extends Error {}

let database: TestDatabase;
let doors: Doors;
let tenantIds: string[];

beforeAll(async () => {
  database = await newDatabase();
  const query: Query = (sql, parameters) => database.query('admin', sql, parameters);
  const rows = new Rows(await readCatalogue(query), query);
  tenantIds = Array.from({ length: TENANTS }, newId);
  for (const id of tenantIds) await rows.fillTenant(id);
  doors = await openDoors(database.urls, { POSTGRES_POOL_SIZE: POOL_SIZE });
});
afterAll(async () => {
  await doors.close();
  await database.drop();
});

/** What a transaction sees: the tenants of all rows in each table, asked without naming a tenant. */
async function tenantsSeen(tx: TenantTx): Promise<string[]> {
  const seen = await tx.$queryRaw<{ id: string }[]>`
    SELECT id::text FROM app.tenants UNION SELECT tenant_id::text FROM app.memberships UNION SELECT tenant_id::text FROM app.roles
    UNION SELECT tenant_id::text FROM app.membership_roles UNION SELECT tenant_id::text FROM audit.events`;
  return seen.map((row) => row.id);
}

// Neither names a tenant, on purpose.
const rename = (tx: TenantTx, name: string) => tx.tenant.updateMany({ data: { name } });
/** What only those transactions do that end badly. */
const spoil = (tx: TenantTx) => tx.tenant.updateMany({ data: { status: 'suspended' } });

/** Each does one transaction of a tenant in its own way and says what it saw. The last ones end badly. */
const KINDS = {
  read: (id: string) => doors.tenants.run(id, tenantsSeen),
  write: (id: string) =>
    doors.tenants.run(id, async (tx) => {
      expect((await rename(tx, `name of ${id}`)).count).toBe(1);
      return tenantsSeen(tx);
    }),
  abort: (id: string) =>
    endsBadly(id, async (tx) => {
      await spoil(tx);
      throw new Abort();
    }),
  'wrong statement': (id: string) =>
    endsBadly(id, async (tx) => {
      await spoil(tx);
      await tx.$queryRaw`SELECT 1 / 0`;
    }),
  'statement timeout': (id: string) =>
    endsBadly(id, async (tx) => {
      await spoil(tx);
      await tx.$executeRaw`SET LOCAL statement_timeout = '2ms'`;
      await tx.$queryRaw`SELECT pg_sleep(5)::text`;
    }),
  disconnect: (id: string) =>
    endsBadly(id, async (tx) => {
      await spoil(tx);
      const [backend] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
      await database.query('admin', 'SELECT pg_terminate_backend($1)', [backend!.pid]);
      await tx.$queryRaw`SELECT 1`;
    }),
  // What no code of ours does: a query on a connection of the pool, outside of the door.
  'without a tenant': async () => {
    const { rows } = await doors.pools.app.query<{ id: string }>('SELECT id::text FROM app.tenants');
    return rows.map((row) => row.id);
  },
};

/** @returns the tenants that the transaction saw before it failed */
async function endsBadly(id: string, work: (tx: TenantTx) => Promise<void>): Promise<string[]> {
  let seen: string[] = [];
  const run = doors.tenants.run(id, async (tx) => {
    seen = await tenantsSeen(tx);
    await work(tx);
  });
  await expect(run).rejects.toThrow();
  return seen;
}

/** The same order in each run: mostly good transactions, the bad ones strewn among them. */
function kindOf(place: number): keyof typeof KINDS {
  const rare: (keyof typeof KINDS)[] = [
    'abort',
    'wrong statement',
    'statement timeout',
    'disconnect',
    'without a tenant',
  ];
  return rare[(place * 7) % 20] ?? (place % 2 ? 'read' : 'write');
}

describe(`${TRANSACTIONS} transactions of ${TENANTS} tenants over a pool of ${POOL_SIZE}`, () => {
  it('see and change nothing but what is their own tenant’s, whatever happened before on their connection', async () => {
    const foreign: object[] = [];
    const done: Record<string, number> = {};
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < TRANSACTIONS) {
        const place = next++;
        const kind = kindOf(place);
        const id = tenantIds[(place >> 1) % TENANTS]!;
        const seen = await KINDS[kind](id);
        const expected = kind === 'without a tenant' ? [] : [id];
        if (seen.join() !== expected.join()) foreign.push({ place, kind, id, seen });
        done[kind] = (done[kind] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));

    expect(foreign).toEqual([]);
    expect(done).toEqual({
      read: 400,
      write: 350,
      abort: 50,
      'wrong statement': 50,
      'statement timeout': 50,
      disconnect: 50,
      'without a tenant': 50,
    });
    const stored = await database.query<{ id: string }>(
      'admin',
      'SELECT id, name, status FROM app.tenants ORDER BY id',
    );
    expect(stored).toEqual(tenantIds.toSorted().map((id) => ({ id, name: `name of ${id}`, status: 'active' })));
    expect(doors.pools.app.totalCount).toBeLessThanOrEqual(POOL_SIZE);
  }, 60_000);
});
