import { Prisma } from '@prisma/client';
import { newId } from '../../src/common/id';
import { newScope, within } from '../../src/database/database-scope';
import { type Doors, openDoors } from '../support/doors';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { ProtocolSpy, type Traffic } from '../support/protocol-spy';

let database: TestDatabase;
let spy: ProtocolSpy;
let doors: Doors;
const tenantId = newId();

beforeAll(async () => {
  database = await newDatabase();
  spy = await ProtocolSpy.before(database.urls.app);
  doors = await openDoors({ ...database.urls, app: spy.urlOf(database.urls.app) }, { POSTGRES_POOL_SIZE: 1 });
  await doors.tenants.run(tenantId, (tx) =>
    tx.tenant.create({ data: { id: tenantId, slug: 'trips', name: 'Trips', nameKey: 'trips' } }),
  );
});
afterAll(async () => {
  await doors.close();
  await spy.close();
  await database.drop();
});

const SET_TENANT = "SELECT set_config('app.tenant_id', $1, true)";
const SET_LOCAL = `SET LOCAL app.tenant_id = '${tenantId}'`;
const find = (): Promise<Traffic> =>
  spy.during(() => doors.tenants.read(tenantId, (tx) => tx.tenant.findFirst({ where: { id: tenantId } })));
const raw = (): Promise<Traffic> =>
  spy.during(() => doors.tenants.read(tenantId, (tx) => tx.$queryRaw`SELECT ${tenantId}::uuid AS id`));

describe('an operation outside of a transaction', () => {
  it.each([
    ['through Prisma', find],
    ['past it', raw],
  ])('is one write and one round trip, without BEGIN and COMMIT (%s)', async (_, operation) => {
    const first = await operation();
    expect(first).toMatchObject({ writes: 1, roundTrips: 1, executes: 2 });
    expect(first.statements.filter((text) => text !== SET_TENANT)).toHaveLength(1); // parsed once
    expect(await operation()).toEqual({ writes: 1, roundTrips: 1, executes: 2, statements: [] });
  });

  it('is so with its relations', async () => {
    const withRelations = (): Promise<Traffic> =>
      spy.during(() =>
        doors.tenants.read(tenantId, (tx) =>
          tx.membership.findMany({ where: { tenantId }, include: { roles: { include: { role: true } } } }),
        ),
      );
    expect(await withRelations()).toMatchObject({ writes: 1, roundTrips: 1 });
    expect(await withRelations()).toEqual({ writes: 1, roundTrips: 1, executes: 2, statements: [] });
  });

  it('is so above tenants', async () => {
    const platform = await ProtocolSpy.before(database.urls.platform);
    const others = await openDoors({ ...database.urls, platform: platform.urlOf(database.urls.platform) });
    try {
      const read = (): Promise<Traffic> =>
        platform.during(() => others.platform.read((tx) => tx.user.findUnique({ where: { id: tenantId } })));
      await read();
      expect(await read()).toEqual({ writes: 1, roundTrips: 1, executes: 1, statements: [] });
    } finally {
      await others.close();
      await platform.close();
    }
  });
});

describe('a transaction of n statements', () => {
  it.each([1, 2, 3])('takes n + 1 round trips (n = %d)', async (count) => {
    const work = (): Promise<Traffic> =>
      spy.during(() =>
        doors.tenants.run(tenantId, async (tx) => {
          for (let place = 0; place < count; place += 1) await tx.$queryRaw`SELECT 1`;
        }),
      );
    await work();
    const expected = { writes: count + 1, roundTrips: count + 1, executes: count + 3 };
    expect(await work()).toEqual({ ...expected, statements: ['BEGIN', SET_LOCAL, 'COMMIT'] });
  });

  it('has its isolation level in BEGIN', async () => {
    const traffic = await spy.during(() =>
      doors.tenants.run(tenantId, (tx) => tx.$queryRaw`SELECT 2`, { isolationLevel: 'Serializable' }),
    );
    expect(traffic).toMatchObject({ writes: 2, roundTrips: 2 });
    expect(traffic.statements.slice(0, 2)).toEqual(['BEGIN ISOLATION LEVEL SERIALIZABLE', SET_LOCAL]);
  });

  it('that asks nothing sends nothing', async () => {
    const empty = { writes: 0, roundTrips: 0, executes: 0, statements: [] };
    expect(await spy.during(() => doors.tenants.run(tenantId, () => Promise.resolve()))).toEqual(empty);
    const failing = (): Promise<unknown> =>
      doors.tenants.run(tenantId, () => Promise.reject(new Error('on purpose'))).catch(() => undefined);
    expect(await spy.during(failing)).toEqual(empty);
  });
});

describe('what a transaction does at its end', () => {
  const rename = (name: string) => Prisma.sql`UPDATE app.tenants SET name = ${name} WHERE id = ${tenantId}::uuid`;
  const nameNow = async () => {
    const [row] = await database.query('admin', 'SELECT name FROM app.tenants WHERE id = $1', [tenantId]);
    return row!.name;
  };

  it('goes with COMMIT', async () => {
    const work = (name: string): Promise<Traffic> =>
      spy.during(() =>
        doors.tenants.run(tenantId, async (tx) => {
          tx.$atEnd(rename(name));
          await tx.$queryRaw`SELECT 1`;
        }),
      );
    await work('First');
    expect(await work('Second')).toMatchObject({ writes: 2, roundTrips: 2, executes: 5 });
    expect(await nameNow()).toBe('Second');
  });

  it('makes one round trip when it is all', async () => {
    const work = (): Promise<Traffic> =>
      spy.during(() => doors.tenants.run(tenantId, (tx) => Promise.resolve(tx.$atEnd(rename('Trips')))));
    await work();
    expect(await work()).toMatchObject({ writes: 1, roundTrips: 1, statements: ['BEGIN', SET_LOCAL, 'COMMIT'] });
    expect(await nameNow()).toBe('Trips');
  });

  it('is not done when the transaction fails, and undoes all when it fails itself', async () => {
    const failing = doors.tenants.run(tenantId, (tx) => {
      tx.$atEnd(rename('spoilt'));
      return Promise.reject(new Error('on purpose'));
    });
    await expect(failing).rejects.toThrow('on purpose');
    const undone = doors.tenants.run(tenantId, async (tx) => {
      await tx.tenant.update({ where: { id: tenantId }, data: { name: 'spoilt' } });
      tx.$atEnd(Prisma.sql`SELECT 1 / 0`);
    });
    await expect(undone).rejects.toThrow('division by zero');
    const alone = doors.tenants.run(tenantId, (tx) => Promise.resolve(tx.$atEnd(Prisma.sql`SELECT 1 / 0`)));
    await expect(alone).rejects.toThrow('division by zero');
    expect(await nameNow()).toBe('Trips');
    expect(await find()).toMatchObject({ roundTrips: 1, statements: [] }); // on the same connection: it knows the statement
  });
});

describe('a storm of writes that meet a unique index', () => {
  it('costs no connection', async () => {
    const pidOf = () => doors.tenants.read(tenantId, (tx) => tx.$queryRaw`SELECT pg_backend_pid()`);
    const before = await pidOf();
    const again = { id: tenantId, slug: 'trips', name: 'Trips', nameKey: 'trips' };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => doors.tenants.run(tenantId, (tx) => tx.tenant.create({ data: again }))),
    );
    for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'P2002' } });
    expect(await pidOf()).toEqual(before);
  });
});

describe('a batch', () => {
  const batch = (...texts: string[]): Promise<unknown> =>
    within(newScope(tenantId), () => doors.pools.app.batch(texts.map((text) => ({ text }))));

  it('is one write and one round trip for any number of statements', async () => {
    const texts = ['SELECT 1 AS one', 'SELECT 2 AS two', 'SELECT 3 AS three'];
    await batch(...texts);
    const traffic = await spy.during(async () => {
      const results = (await batch(...texts)) as { rows: object[] }[];
      expect(results.map(({ rows }) => rows)).toEqual([[{ one: 1 }], [{ two: 2 }], [{ three: 3 }]]);
    });
    expect(traffic).toEqual({ writes: 1, roundTrips: 1, executes: 4, statements: [] });
  });

  it('does all or nothing', async () => {
    const rename = `UPDATE app.tenants SET name = 'spoilt' WHERE id = '${tenantId}'`;
    await expect(batch(rename, 'SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    expect(await database.query('admin', 'SELECT name FROM app.tenants WHERE id = $1', [tenantId])).toEqual([
      { name: 'Trips' },
    ]);
  });

  it('sees rows of its tenant alone', async () => {
    const [seen] = (await batch('SELECT id FROM app.tenants')) as { rows: object[] }[];
    expect(seen!.rows).toEqual([{ id: tenantId }]);
    const [unseen] = await within(newScope(newId()), () =>
      doors.pools.app.batch([{ text: 'SELECT id FROM app.tenants' }]),
    );
    expect(unseen!.rows).toEqual([]);
  });
});
