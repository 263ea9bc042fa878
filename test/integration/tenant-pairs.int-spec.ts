import { Prisma } from '@prisma/client';
import { newId } from '../../src/common/id';
import { newScope, within } from '../../src/database/database-scope';
import type { TenantTx } from '../../src/database/tenant-db';
import { type Doors, openDoors } from '../support/doors';
import { newDatabase, type TestDatabase } from '../support/postgres';

/** What each operation gives, and a name for the error where one is due. */
type Outcome = string | null | undefined;
type Operation = (tenantId: string) => Promise<Outcome>;

const [a, b] = [newId(), newId()];
let database: TestDatabase;
let doors: Doors;

beforeAll(async () => {
  database = await newDatabase();
  doors = await openDoors(database.urls, { POSTGRES_POOL_SIZE: 2 });
  for (const id of [a, b]) await doors.tenants.run(id, (tx) => tx.tenant.create({ data: rowOf(id) }));
});
afterAll(async () => {
  await doors.close();
  await database.drop();
});

const rowOf = (id: string) => ({ id, slug: `s-${id}`, name: 'x', nameKey: 'x' });
const columns = { select: { id: true } };
const roleOf = (tenantId: string) => ({ tenantId, id: newId(), name: newId(), nameKey: newId() });
const read =
  (work: (tx: TenantTx) => Promise<{ id: string } | null>): Operation =>
  async (id) =>
    (await doors.tenants.read(id, work))?.id;
const run =
  (work: (tx: TenantTx, id: string) => Promise<{ id: string } | null | undefined>): Operation =>
  async (id) =>
    (await doors.tenants.run(id, (tx) => work(tx, id)))?.id;

/** Each is asked without naming the tenant where that is possible: the policy alone decides. All give the tenant's id. */
const OPERATIONS: Record<string, Operation> = {
  findFirst: read((tx) => tx.tenant.findFirst(columns)),
  findUnique: (id) => read((tx) => tx.tenant.findUnique({ where: { id }, ...columns }))(id),
  findUniqueOrThrow: (id) => read((tx) => tx.tenant.findUniqueOrThrow({ where: { id }, ...columns }))(id),
  findMany: read(async (tx) => (await tx.tenant.findMany(columns)).at(-1)!),
  'findMany with relations': read(async (tx) =>
    (await tx.tenant.findMany({ include: { roles: { include: { permissions: true } } } })).at(-1)!,
  ),
  count: async (id) => ((await doors.tenants.read(id, (tx) => tx.tenant.count())) === 1 ? id : null),
  aggregate: read(async (tx) => ({ id: (await tx.tenant.aggregate({ _max: { slug: true } }))._max.slug!.slice(2) })),
  groupBy: read(async (tx) => (await tx.tenant.groupBy({ by: ['id'] })).at(-1)!),
  raw: read(async (tx) => (await tx.$queryRaw<{ id: string }[]>`SELECT id FROM app.tenants`).at(-1)!),
  'two reads': read(async (tx) => {
    const [one, two] = await Promise.all([tx.tenant.findFirst(columns), tx.tenant.findMany(columns)]);
    return one!.id === two[0]!.id ? one : null;
  }),
  'a promise that is awaited elsewhere': async (id) => {
    const tx = await new Promise<TenantTx>((resolve) => {
      void doors.tenants.read(id, (given) => Promise.resolve(resolve(given)));
    });
    const other = id === a ? b : a;
    const promise = tx.tenant.findFirst(columns);
    return (await within(newScope(other), () => promise))?.id;
  },
  'a read inside of a read of the other': async (id) => {
    const other = id === a ? b : a;
    return doors.tenants.read(other, async (outer) => {
      const inner = await doors.tenants.read(id, (tx) => tx.tenant.findFirst(columns));
      expect((await outer.tenant.findFirst(columns))?.id).toBe(other);
      return inner?.id;
    });
  },
  'a transaction inside of a read of the other': async (id) => {
    const other = id === a ? b : a;
    return doors.tenants.read(other, async () => run((tx) => tx.tenant.findFirst(columns))(id));
  },
  create: run(async (tx, id) => {
    const { tenantId } = await tx.role.create({ data: roleOf(id), select: { tenantId: true } });
    return { id: tenantId };
  }),
  createMany: run(async (tx, id) => {
    await tx.role.createMany({ data: [roleOf(id), roleOf(id)] });
    return tx.tenant.findFirst(columns);
  }),
  update: run((tx, id) => tx.tenant.update({ where: { id }, data: { version: { increment: 1 } }, ...columns })),
  updateMany: run(async (tx) => (await tx.tenant.updateManyAndReturn({ data: { name: 'y' }, ...columns })).at(-1)),
  upsert: run((tx, id) => tx.tenant.upsert({ where: { id }, create: rowOf(id), update: { name: 'z' }, ...columns })),
  'findUnique in a transaction': run((tx, id) => tx.tenant.findUnique({ where: { id }, ...columns })),
  'raw in a transaction': run(async (tx) => (await tx.$queryRaw<{ id: string }[]>`SELECT id FROM app.tenants`).at(-1)),
  'a failed transaction': (id) =>
    run(async (tx) => tx.$queryRaw<{ id: string }[]>`SELECT 1 / 0`.then(([row]) => row))(id).catch(() => id),
  write: async (id) => {
    const [, rows] = await doors.tenants.write(id, [Prisma.sql`SELECT 1`, Prisma.sql`SELECT id FROM app.tenants`]);
    return rows!.at(-1)!.id as string;
  },
  batch: async (id) => {
    const results = await within(newScope(id), () =>
      doors.pools.app.batch([{ text: 'SELECT 1' }, { text: 'SELECT id FROM app.tenants' }]),
    );
    return (results[1]!.rows as { id: string }[]).at(-1)?.id;
  },
};
const names = Object.keys(OPERATIONS);

describe('two tenants in one tick', () => {
  it.each(names)('%s beside each other operation, in either order, is of its own tenant', async (name) => {
    for (const other of names) {
      const pairs: [string, string][] = [
        [name, other],
        [other, name],
      ];
      for (const [first, second] of pairs) {
        const seen = await Promise.all([OPERATIONS[first]!(a), OPERATIONS[second]!(b)]);
        expect({ first, second, seen }).toEqual({ first, second, seen: [a, b] });
      }
    }
  });

  it('leave no tenant on the connections, and no row of one with the other', async () => {
    const left = await Promise.all(
      Array.from({ length: 4 }, () => doors.pools.app.query({ text: 'SELECT id FROM app.tenants' })),
    );
    expect(left.flatMap(({ rows }) => rows as object[])).toEqual([]);
    const foreign = await database.query('admin', 'SELECT FROM app.roles WHERE tenant_id NOT IN ($1, $2)', [a, b]);
    expect(foreign).toEqual([]);
  });
});

describe('a read', () => {
  it('cannot write', async () => {
    await expect(
      doors.tenants.read(a, (tx) => tx.tenant.update({ where: { id: a }, data: { name: 'written' } })),
    ).rejects.toThrow(TypeError);
    const raw = doors.tenants.read(a, (tx) => (tx as { $executeRaw?: unknown }).$executeRaw as Promise<unknown>);
    expect(await raw).toBeUndefined();
  });

  it('has no array of operations as a transaction, which Prisma would ask for whoever came first', async () => {
    const tx = await doors.tenants.read(a, (given) => Promise.resolve(given as unknown as { $transaction?: unknown }));
    expect(tx.$transaction).toBeUndefined();
  });

  it('is of no tenant whose id is no UUID', async () => {
    await expect(doors.tenants.read("x' OR true --", () => Promise.resolve())).rejects.toThrow(TypeError);
  });

  it('takes compound keys as findUnique does', async () => {
    const role = roleOf(a);
    await doors.tenants.run(a, (tx) => tx.role.create({ data: role }));
    const where = { tenantId_id: { tenantId: a, id: role.id } } satisfies Prisma.RoleWhereUniqueInput;
    expect(await doors.tenants.read(a, (tx) => tx.role.findUnique({ where, ...columns }))).toEqual({ id: role.id });
    expect(await doors.tenants.read(b, (tx) => tx.role.findUnique({ where, ...columns }))).toBeNull();
  });

  it('gives values as Prisma does', async () => {
    const ask = (tx: TenantTx) =>
      tx.$queryRaw<object[]>`SELECT 1::int AS i, 2::bigint AS l, 1.5::numeric AS n, true AS b, 'x' AS t, NULL AS e,
        '2026-11-23T10:00:00.123Z'::timestamptz AS z, '{"k":[1]}'::jsonb AS j, ARRAY['a','b'] AS s, ${a}::uuid AS u`;
    expect(await doors.tenants.read(a, ask)).toEqual(await doors.tenants.run(a, ask));
  });
});
