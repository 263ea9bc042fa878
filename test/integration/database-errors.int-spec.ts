import { Prisma } from '@prisma/client';
import { ConflictError, DomainError, UnavailableError } from '../../src/common/errors';
import { newId } from '../../src/common/id';
import { asConflict } from '../../src/database/database-errors';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { bootstrapDatabase } from '../../src/database/logins';
import type { DatabaseUrls } from '../../src/database/pools';
import type { TenantTx } from '../../src/database/tenant-db';
import { type Query, readCatalogue } from '../support/catalogue';
import { type Doors, openDoors } from '../support/doors';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { Rows } from '../support/rows';
import { SocketProxy } from '../support/socket-proxy';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

let database: TestDatabase;
let doors: Doors;
const tenantId = newId();
const anotherTenantId = newId();

beforeAll(async () => {
  database = await newDatabase();
  await database.query('admin', `ALTER DATABASE ${database.name} SET deadlock_timeout = '20ms'`);
  const query: Query = (sql, parameters) => database.query('admin', sql, parameters);
  const rows = new Rows(await readCatalogue(query), query);
  await rows.fillTenant(tenantId);
  await rows.fillTenant(anotherTenantId);
  doors = await openDoors(database.urls);
});
afterAll(async () => {
  await doors.close();
  await database.drop();
});

const run = <Result>(work: (tx: TenantTx) => Promise<Result>): Promise<Result> => doors.tenants.run(tenantId, work);

/** What a piece of work fails with. */
async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('It did not fail.');
}

async function expectUnavailable(work: Promise<unknown>, code: string): Promise<void> {
  const error = await failureOf(work);
  expect(error).toBeInstanceOf(UnavailableError);
  expect(error).toMatchObject({ code, cause: { message: expect.any(String) as string } });
}

const newRole = (tx: TenantTx, role: Partial<Prisma.RoleUncheckedCreateInput> = {}) => {
  const id = newId();
  return tx.role.create({ data: { tenantId, id, name: id, nameKey: id, ...role }, select: { id: true } });
};
const renameTenant = (tx: TenantTx, name: string) =>
  tx.tenant.update({ where: { id: tenantId }, data: { name }, select: { id: true } });

/** Resolves when told to. */
function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('a unique violation', () => {
  const NAME_TAKEN = { code: 'role_name_taken', pointer: '/name', message: 'Another role has this name.' };
  const violate = () =>
    failureOf(
      run(async (tx) => {
        await newRole(tx, { name: 'Twice', nameKey: 'twice' });
        await newRole(tx, { name: 'Twice', nameKey: 'twice' });
      }),
    );

  it('is a conflict where its index has a rule', async () => {
    const conflict = asConflict(await violate(), { roles_tenant_id_name_key_key: NAME_TAKEN });
    expect(conflict).toBeInstanceOf(ConflictError);
    expect(conflict).toMatchObject({ code: 'role_name_taken', errors: [NAME_TAKEN] });
  });

  it('stays what it is where another index has one, so that nobody is told a wrong reason', async () => {
    const error = await violate();
    expect(asConflict(error, { roles_tenant_id_system_key_key: NAME_TAKEN })).toBe(error);
    expect(error).toMatchObject({ code: 'P2002' });
  });
});

describe('a violation of row-level security', () => {
  it('stays an unforeseen error: it is a fault of ours, not of the caller', async () => {
    const error = await failureOf(run((tx) => newRole(tx, { tenantId: anotherTenantId })));
    expect(error).not.toBeInstanceOf(DomainError);
    expect((error as Error).message).toContain('row-level security');
  });
});

describe('too long', () => {
  it('for a statement: database_timeout', async () => {
    await expectUnavailable(
      run(async (tx) => {
        await tx.$executeRaw`SET LOCAL statement_timeout = '20ms'`;
        await tx.$queryRaw`SELECT pg_sleep(10)::text`;
      }),
      'database_timeout',
    );
  });

  it('for a lock that somebody else holds: database_timeout', async () => {
    await database.inTransaction('admin', undefined, async (other) => {
      await other.query('SELECT FROM app.tenants WHERE id = $1 FOR UPDATE', [tenantId]);
      await expectUnavailable(
        run(async (tx) => {
          await tx.$executeRaw`SET LOCAL lock_timeout = '20ms'`;
          await renameTenant(tx, 'locked');
        }),
        'database_timeout',
      );
    });
  });

  it.each([
    ['the whole of it is bounded by Prisma', { POSTGRES_STATEMENT_TIMEOUT_MS: 100 }],
    ['the wait for its next statement by PostgreSQL', { POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS: 100 }],
  ])('for a transaction in which nothing happens: database_timeout (%s)', async (_, bounds) => {
    const impatient = await openDoors(database.urls, bounds);
    try {
      await expectUnavailable(
        impatient.tenants.run(tenantId, async (tx) => {
          await tx.$queryRaw`SELECT 1`; // until then nothing has begun
          await new Promise((resolve) => setTimeout(resolve, 300));
          await renameTenant(tx, 'late');
        }),
        'database_timeout',
      );
    } finally {
      await impatient.close();
    }
  });

  it('for a free connection of the pool: too_busy', async () => {
    const small = await openDoors(database.urls, { POSTGRES_POOL_SIZE: 1, POSTGRES_CONNECT_TIMEOUT_MS: 1_000 });
    const [begun, ended] = [gate(), gate()];
    try {
      const holder = small.tenants.run(tenantId, async (tx) => {
        await tx.$queryRaw`SELECT 1`;
        begun.open();
        await ended.opened;
      });
      await Promise.race([begun.opened, holder]);
      await expectUnavailable(
        small.tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 1`),
        'too_busy',
      );
      ended.open();
      await holder;
      await small.tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 1`);
    } finally {
      ended.open();
      await small.close();
    }
  });
});

describe('somebody else at the same time', () => {
  it('in a deadlock: the one that lost is run again, and both get through', async () => {
    const [a, b] = [newId(), newId()];
    await run((tx) => Promise.all([newRole(tx, { id: a }), newRole(tx, { id: b })]));
    const rename = (tx: TenantTx, id: string) =>
      tx.role.updateMany({ where: { tenantId, id }, data: { description: 'x' } });
    const [gateA, gateB] = [gate(), gate()];
    let runs = 0;
    const inOrder = (first: string, second: string, mine: typeof gateA, theirs: typeof gateA) =>
      run(async (tx) => {
        runs += 1;
        await rename(tx, first);
        mine.open();
        await theirs.opened;
        await rename(tx, second);
      });
    await Promise.all([inOrder(a, b, gateA, gateB), inOrder(b, a, gateB, gateA)]);
    expect(runs).toBe(3);
  });

  it('changing what a repeatable read has read: too_busy', async () => {
    await expectUnavailable(
      doors.tenants.run(
        tenantId,
        async (tx) => {
          await tx.$queryRaw`SELECT 1 FROM app.tenants`;
          await run((other) => renameTenant(other, 'changed meanwhile'));
          await renameTenant(tx, 'too late');
        },
        { isolationLevel: 'RepeatableRead' },
      ),
      'too_busy',
    );
  });
});

describe('the connection', () => {
  it('lost in the middle: database_unavailable, and the next transaction has a new one', async () => {
    await expectUnavailable(
      run(async (tx) => {
        const [backend] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
        await database.query('admin', 'SELECT pg_terminate_backend($1)', [backend!.pid]);
        await renameTenant(tx, 'lost');
      }),
      'database_unavailable',
    );
    await expect(run((tx) => renameTenant(tx, 'found'))).resolves.toEqual({ id: tenantId });
  });

  it('lost in its COMMIT, in the words of the adapter and not of Prisma: database_unavailable', async () => {
    await database.query(
      'admin',
      `CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
       CREATE CONSTRAINT TRIGGER die AFTER UPDATE ON app.tenants DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.die()`,
    );
    try {
      await expectUnavailable(
        run((tx) => renameTenant(tx, 'undecided')),
        'database_unavailable',
      );
    } finally {
      await database.query('admin', 'DROP TRIGGER die ON app.tenants; DROP FUNCTION public.die()');
    }
  });

  it('cut without a word, by the network: database_unavailable', async () => {
    const proxy = await SocketProxy.before(database.urls.app);
    const behind = await openDoors({ ...database.urls, app: proxy.urlOf(database.urls.app) });
    try {
      await expectUnavailable(
        behind.tenants.run(tenantId, async (tx) => {
          await tx.$queryRaw`SELECT 1`;
          await proxy.refuse();
          await renameTenant(tx, 'cut off');
        }),
        'database_unavailable',
      );
      await expectUnavailable(
        behind.tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 1`),
        'database_unavailable',
      );
    } finally {
      await behind.close();
      await proxy.close();
    }
  });

  it('refused, for the password is wrong: database_unavailable', async () => {
    const app = new URL(database.urls.app);
    app.password = 'wrong';
    const locked = await openDoors({ ...database.urls, app: app.toString() });
    try {
      await expectUnavailable(
        locked.tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 1`),
        'database_unavailable',
      );
    } finally {
      await locked.close();
    }
  });
});

describe('a server of its own', () => {
  it('stopped under a query and before one: database_unavailable; started again, it serves the same pools', async () => {
    const directory = makeTestDirectory();
    const binDir = process.env.TEST_POSTGRES_BIN;
    const start = () => startEmbeddedPostgres({ dataDir: directory, ...(binDir && { binDir }) });
    let server = await start();
    let own: Doors | undefined;
    try {
      const { urls } = await bootstrapDatabase(server.adminUrl(), { database: 'stopped' });
      own = await openDoors(urls as DatabaseUrls);
      const { tenants } = own;
      const begun = gate();
      const underWay = expectUnavailable(
        tenants.run(tenantId, async (tx) => {
          await tx.$queryRaw`SELECT 1`;
          begun.open();
          await tx.$queryRaw`SELECT pg_sleep(20)::text`;
        }),
        'database_unavailable',
      );
      await begun.opened;
      await server.stop();
      await underWay;
      await expectUnavailable(
        tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 1`),
        'database_unavailable',
      );

      server = await start();
      await expect(tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 1 AS one`)).resolves.toEqual([{ one: 1 }]);
    } finally {
      await own?.close();
      await server.stop();
      removeTestDirectory(directory);
    }
  });
});
