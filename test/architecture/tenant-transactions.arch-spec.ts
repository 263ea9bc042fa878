import { Prisma } from '@prisma/client';
import { newId } from '../../src/common/id';
import { createPool } from '../../src/database/pool';
import { createPrismaClient, type TenantryClient } from '../../src/database/prisma-client';
import type { PlatformTx } from '../../src/database/platform-db';
import type { TenantDb, TenantTx } from '../../src/database/tenant-db';
import { readEnv } from '../../src/config/env';
import { type Doors, openDoors } from '../support/doors';
import { newDatabase, type TestDatabase } from '../support/postgres';

/**
 * Never called: `npm run typecheck` is the test. Each line is a way out of a tenant's transaction that must not compile,
 * and a line that does compile fails the check.
 */
function waysOut(tx: TenantTx, db: TenantDb, prisma: TenantryClient, platformTx: PlatformTx): unknown[] {
  const work = (inner: TenantTx): Promise<number> => inner.role.count();
  return [
    // @ts-expect-error a second transaction would run on another connection and survive a rollback of this one
    tx.$transaction([]),
    // @ts-expect-error an extended client loses the brand and brings back what is left out here
    tx.$extends({}),
    // @ts-expect-error text that is put together from input
    tx.$queryRawUnsafe('SELECT 1'),
    // @ts-expect-error text that is put together from input
    tx.$executeRawUnsafe('SELECT 1'),
    // @ts-expect-error a transaction does not end the connections of all
    tx.$disconnect(),
    // @ts-expect-error accounts are the platform login's alone
    tx.user,
    // @ts-expect-error sessions are the platform login's alone
    tx.session,
    // @ts-expect-error credentials are the platform login's alone
    tx.credential,
    // @ts-expect-error the tenant of a transaction stands fast
    (tx.tenantId = newId()),
    // @ts-expect-error plain Prisma has no tenant
    work(prisma),
    // @ts-expect-error the platform's transactions have no tenant
    work(platformTx),
    // @ts-expect-error nobody makes one by hand
    work({ ...prisma, tenantId: newId() }),
    // @ts-expect-error above tenants there are no roles
    platformTx.role,
    // @ts-expect-error a second transaction would run on another connection and survive a rollback of this one
    platformTx.$transaction([]),
    db.run(tx.tenantId, work),
  ];
}

void waysOut;

describe('the transaction that TenantDb gives', () => {
  let database: TestDatabase;
  let doors: Doors;
  beforeAll(async () => {
    database = await newDatabase();
    doors = await openDoors(database.urls);
  });
  afterAll(async () => {
    await doors.close();
    await database.drop();
  });

  it.each(['$connect', '$disconnect', '$on', '$extends'])('has no %s at run time either', async (name) => {
    const type = await doors.tenants.run(newId(), (tx) =>
      Promise.resolve(typeof (tx as unknown as Record<string, unknown>)[name]),
    );
    expect(type).toBe('undefined');
  });

  it('keeps a nested transaction, which its type hides, on its own connection and in its own rollback', async () => {
    const id = newId();
    const failing = doors.tenants.run(id, async (tx) => {
      const nesting = tx as unknown as Pick<TenantryClient, '$transaction'>;
      const where = Prisma.sql`SELECT pg_backend_pid() AS pid, pg_current_xact_id()::text AS xid`;
      const inside = await nesting.$transaction(async (inner) => {
        await inner.tenant.create({ data: { id, slug: `t-${id}`, name: 'x', nameKey: 'x' }, select: { id: true } });
        return inner.$queryRaw(where);
      });
      expect(inside).toEqual(await tx.$queryRaw(where));
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(await database.query('admin', 'SELECT FROM app.tenants WHERE id = $1', [id])).toEqual([]);
  });

  it.each(["' OR true --", '', 'not-a-uuid', "00000000-0000-0000-0000-000000000000'; DROP TABLE app.roles; --"])(
    'is none for a tenant that is no UUID: %j',
    async (tenantId) => {
      const work = jest.fn();
      await expect(doors.tenants.run(tenantId, work)).rejects.toThrow(TypeError);
      expect(work).not.toHaveBeenCalled();
    },
  );

  it('rolls everything back when its work fails', async () => {
    const id = newId();
    const failing = doors.tenants.run(id, async (tx) => {
      await tx.tenant.create({ data: { id, slug: `t-${id}`, name: 'x', nameKey: 'x' }, select: { id: true } });
      throw new Error('on purpose');
    });
    await expect(failing).rejects.toThrow('on purpose');
    expect(await database.query('admin', 'SELECT FROM app.tenants WHERE id = $1', [id])).toEqual([]);
  });
});

describe('the often-shown extension that sets the tenant in a batch', () => {
  it('does what we fear: its write survives the rollback of the transaction around it', async () => {
    const database = await newDatabase();
    const env = readEnv({ NODE_ENV: 'test' });
    const client = createPrismaClient(createPool('app', database.urls.app, env), env);
    const id = newId();
    const extended = client.$extends({
      query: {
        $allModels: {
          $allOperations: async ({ args, query }) => {
            const setTenant = client.$executeRaw`SELECT set_config('app.tenant_id', ${id}, true)`;
            const [, result] = await client.$transaction([setTenant, query(args) as Prisma.PrismaPromise<unknown>]);
            return result;
          },
        },
      },
    });
    try {
      const failing = extended.$transaction(async (tx) => {
        await tx.tenant.create({ data: { id, slug: `t-${id}`, name: 'x', nameKey: 'x' }, select: { id: true } });
        throw new Error('on purpose');
      });
      await expect(failing).rejects.toThrow('on purpose');
      expect(await database.query('admin', 'SELECT id FROM app.tenants')).toEqual([{ id }]);
    } finally {
      await client.$disconnect();
      await database.drop();
    }
  });
});
