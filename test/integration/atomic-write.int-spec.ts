import { Prisma } from '@prisma/client';
import pg from 'pg';
import { newId } from '../../src/common/id';
import { accompany, whileWanted } from '../../src/database/abandonment';
import { AccompanyingCheck } from '../../src/database/accompanying-check';
import type { WriteStatement } from '../../src/database/atomic-write';
import { asConflict } from '../../src/database/database-errors';
import { whileKeyed } from '../../src/database/keyed-request';
import { type Doors, openDoors } from '../support/doors';
import { eventually } from '../support/eventually';
import { newDatabase, type TestDatabase } from '../support/postgres';
import { ProtocolSpy } from '../support/protocol-spy';

let database: TestDatabase;
let spy: ProtocolSpy;
let doors: Doors;
const tenantId = newId();

beforeAll(async () => {
  database = await newDatabase();
  spy = await ProtocolSpy.before(database.urls.app);
  doors = await openDoors({ ...database.urls, app: spy.urlOf(database.urls.app) }, { POSTGRES_POOL_SIZE: 2 });
  await doors.tenants.write(tenantId, [
    Prisma.sql`INSERT INTO app.tenants (id, slug, name, name_key) VALUES (${tenantId}, 'writes', 'Writes', 'writes')`,
  ]);
});
afterAll(async () => {
  await doors.close();
  await spy.close();
  await database.drop();
});

const insertion = (name: string, id = newId()): WriteStatement =>
  Prisma.sql`INSERT INTO app.roles (tenant_id, id, name, name_key) VALUES (${tenantId}, ${id}, ${name}, ${name}) RETURNING id, name`;
const write = (...statements: WriteStatement[]) => doors.tenants.write(tenantId, statements);
const namesOf = async (pattern: string): Promise<unknown[]> => {
  const rows = await database.query('admin', 'SELECT name FROM app.roles WHERE name LIKE $1 ORDER BY name', [pattern]);
  return rows.map(({ name }) => name);
};
const FAILING = Prisma.sql`SELECT 1 / 0`;

describe('a write', () => {
  it('is one round trip for any number of statements, and gives what each returned', async () => {
    const statements = (mark: string) => [
      insertion(`${mark} one`),
      Prisma.sql`SELECT count(*) FROM app.roles WHERE name LIKE ${`${mark}%`}`,
      Prisma.sql`DELETE FROM app.roles WHERE name = 'nobody'`,
    ];
    await write(...statements('first'));
    const traffic = await spy.during(async () => {
      const [made, counted, none] = await write(...statements('second'));
      expect(made).toEqual([{ id: expect.any(String) as string, name: 'second one' }]);
      expect(counted).toEqual([{ count: 1n }]); // as Prisma gives it
      expect(none).toEqual([]);
    });
    expect(traffic).toEqual({ writes: 1, roundTrips: 1, executes: 4, statements: [] });
  });

  it('happens as a whole or not at all, and its connection stays', async () => {
    const pids = () =>
      database.query(
        'admin',
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantry-app'`,
      );
    const before = await pids();
    await expect(write(insertion('half done'), FAILING)).rejects.toMatchObject({ code: '22012' });
    await expect(write(FAILING, insertion('half done'))).rejects.toMatchObject({ code: '22012' });
    expect(await namesOf('half%')).toEqual([]);
    expect(await pids()).toEqual(before);
  });

  it('is of its own tenant alone, whatever else runs in the same tick', async () => {
    const other = newId();
    const [, , [seen]] = await Promise.all([
      doors.tenants.read(other, (tx) => tx.tenant.findFirst()),
      doors.tenants.write(other, [Prisma.sql`SELECT id FROM app.tenants`]),
      write(Prisma.sql`SELECT id FROM app.tenants`),
      doors.tenants.run(other, (tx) => tx.tenant.findFirst()),
    ]);
    expect(seen).toEqual([{ id: tenantId }]);
    await expect(doors.tenants.write(other, [insertion('foreign')])).rejects.toMatchObject({ code: '42501' });
    expect(() => doors.tenants.write("'; --", [])).toThrow(TypeError);
  });

  it('that meets a unique index is told as a conflict', async () => {
    const [id, rule] = [newId(), { code: 'role_name_taken', pointer: '/name', message: 'Taken.' }];
    await write(insertion('unique', id));
    const error: unknown = await write(insertion('unique')).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: '23505' });
    expect(asConflict(error, { roles_tenant_id_name_key_key: rule })).toMatchObject({ code: 'role_name_taken' });
    expect(asConflict(error, { another_index: rule })).toBe(error);
  });

  it('goes above tenants, too', async () => {
    expect(await doors.platform.write([Prisma.sql`SELECT 1 AS one`, Prisma.sql`SELECT 2 AS two`])).toEqual([
      [{ one: 1 }],
      [{ two: 2 }],
    ]);
  });
});

describe('a write for a request', () => {
  it('is not done when what was believed of its caller is so no more', async () => {
    const writing = whileWanted(new AbortController().signal, () => {
      accompany(new AccompanyingCheck(tenantId, { text: 'SELECT 1' }, ['1'], () => Promise.resolve(['2'])));
      return write(insertion('unsettled'));
    });
    await expect(writing).rejects.toThrow('so no more');
    expect(await namesOf('unsettled')).toEqual([]);
  });

  it('is not done when its caller goes before it is', async () => {
    await expect(whileWanted(AbortSignal.abort(), () => write(insertion('gone')))).rejects.toMatchObject({
      code: 'request_abandoned',
    });
    const caller = new AbortController();
    const going = whileWanted(caller.signal, () => write(insertion('going'), Prisma.sql`SELECT pg_sleep(20)`));
    await eventually(async () => expect(await countOf('pg_sleep')).toBe(1));
    caller.abort();
    await expect(going).rejects.toMatchObject({ code: 'database_timeout' });
    expect(await namesOf('go%')).toEqual([]);
  });

  const countOf = async (text: string): Promise<number> =>
    (
      await database.query(
        'admin',
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantry-app' AND state = 'active' AND query LIKE $1`,
        [`%${text}%`],
      )
    ).length;
});

describe('a write whose connection dies', () => {
  /** Whoever writes roles waits for it. */
  async function whileHeld(work: () => Promise<unknown>): Promise<void> {
    const barrier = new pg.Client({ connectionString: database.urls.owner });
    await barrier.connect();
    try {
      await barrier.query('BEGIN; LOCK TABLE app.roles IN SHARE MODE');
      await work();
    } finally {
      await barrier.end();
    }
  }
  const WAITING = `datname = current_database() AND application_name = 'tenantry-app' AND wait_event_type = 'Lock'`;
  const terminate = (where: string) =>
    database.query('admin', `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${where}`);
  const gone: unknown[] = [];
  /** Ends the one backend that waits, once it does; one that was ended before may still be going. */
  const interrupt = (): Promise<void> =>
    eventually(async () => {
      const waiting = await database.query('admin', `SELECT pid FROM pg_stat_activity WHERE ${WAITING}`);
      const pids = waiting.map(({ pid }) => pid).filter((pid) => !gone.includes(pid));
      expect(pids).toHaveLength(1);
      gone.push(...pids);
      await database.query('admin', 'SELECT pg_terminate_backend($1)', pids);
    });

  it('while it was idle begins on another one', async () => {
    await Promise.all([write(FAILING), write(FAILING)].map((one) => one.catch(() => undefined)));
    expect(
      (await terminate(`datname = current_database() AND application_name = 'tenantry-app'`)).length,
    ).toBeGreaterThan(0);
    await expect(write(insertion('idle'))).resolves.toHaveLength(1);
  });

  it('by the word of PostgreSQL, before it is done, is repeated once', async () => {
    const request = { mayHaveWritten: false };
    let writing: Promise<unknown>;
    await whileHeld(async () => {
      writing = whileKeyed(request, () => write(Prisma.sql`SELECT 1`, insertion('repeated')));
      await interrupt();
      expect(request.mayHaveWritten).toBe(false);
    });
    await writing!;
    expect(await namesOf('repeated')).toEqual(['repeated']);
    expect(request.mayHaveWritten).toBe(true);
  });

  it('so twice is given up, and known to have left nothing behind', async () => {
    const request = { mayHaveWritten: false };
    await whileHeld(async () => {
      const outcome = whileKeyed(request, () => write(insertion('given up'))).catch((reason: unknown) => reason);
      await interrupt();
      await interrupt();
      expect(await outcome).toMatchObject({ code: 'database_unavailable' });
    });
    expect(await namesOf('given up')).toEqual([]);
    expect(request.mayHaveWritten).toBe(false);
  });

  it('without a word is not repeated, key or not: it may have been done', async () => {
    const request = { mayHaveWritten: false };
    await whileHeld(async () => {
      const outcome = whileKeyed(request, () => write(insertion('unknown'))).catch((reason: unknown) => reason);
      await eventually(async () =>
        expect(await database.query('admin', `SELECT FROM pg_stat_activity WHERE ${WAITING}`)).toHaveLength(1),
      );
      await spy.cut();
      expect(await outcome).toMatchObject({ code: 'database_unavailable' });
    });
    await eventually(async () => expect(await namesOf('unknown')).toEqual(['unknown']));
    expect(request.mayHaveWritten).toBe(true);
  });

  it('by the word of a pooler is not repeated: the server behind it may have done it', async () => {
    const request = { mayHaveWritten: false };
    const { app: pool } = doors.pools;
    const batch = pool.batch.bind(pool);
    const spied = jest.spyOn(pool, 'batch').mockImplementationOnce(async (...args) => {
      await batch(...args);
      // What PgBouncer says when it ends a connection of the server in the middle of a statement.
      throw Object.assign(new Error('query timeout'), { severity: 'FATAL', code: '08P01' });
    });
    await expect(whileKeyed(request, () => write(insertion('pooled')))).rejects.toMatchObject({
      code: 'database_unavailable',
    });
    expect(spied).toHaveBeenCalledTimes(1);
    spied.mockRestore();
    expect(await namesOf('pooled')).toEqual(['pooled']);
    expect(request.mayHaveWritten).toBe(true);
  });
});
