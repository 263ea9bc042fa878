import { newId } from '../../src/common/id';
import { readEnv } from '../../src/config/env';
import { type OperationDone, operationDone } from '../../src/database/database-events';
import { createPool } from '../../src/database/pool';
import { createPrismaClient, type TenantryClient } from '../../src/database/prisma-client';
import { newDatabase, type TestDatabase } from '../support/postgres';

let database: TestDatabase;
let client: TenantryClient;

beforeAll(async () => {
  database = await newDatabase();
  const env = readEnv({});
  client = createPrismaClient(createPool('platform', database.urls.platform, env), env);
});
afterAll(async () => {
  await client.$disconnect();
  await database.drop();
});

/** What is told while `work` runs, without the time it took. */
async function toldBy(work: () => Promise<unknown>): Promise<Omit<OperationDone, 'seconds'>[]> {
  const events: OperationDone[] = [];
  const stop = operationDone.subscribe((event) => events.push(event));
  await work().finally(stop);
  for (const { seconds } of events) expect(seconds).toBeGreaterThan(0);
  return events.map(({ seconds: _, ...event }) => event);
}

const person = (id: string) => ({ id, email: `${id}@timing.test`, name: 'Timing' });

describe('timedOperations', () => {
  it('tells of each operation with its model', async () => {
    const told = await toldBy(() => client.user.findMany({ select: { id: true }, take: 1 }));
    expect(told).toEqual([{ pool: 'platform', model: 'User', operation: 'findMany', statusCode: '' }]);
  });

  it('tells of raw SQL without a model', async () => {
    const told = await toldBy(() => client.$queryRaw`SELECT 1`);
    expect(told).toEqual([{ pool: 'platform', model: undefined, operation: '$queryRaw', statusCode: '' }]);
  });

  it('tells of operations within a transaction, which still succeed or fail together', async () => {
    const id = newId();
    const told = await toldBy(async () => {
      const work = client.$transaction(async (tx) => {
        await tx.user.create({ data: person(id), select: { id: true } });
        await tx.$executeRaw`SELECT 1 / 0`;
      });
      await expect(work).rejects.toThrow();
    });
    expect(told.map(({ operation, statusCode }) => [operation, statusCode])).toEqual([
      ['create', ''],
      ['$executeRaw', '22012'], // division_by_zero
    ]);
    expect(await client.user.count({ where: { id } })).toBe(0);
  });

  it('tells what PostgreSQL objected to, or else Prisma', async () => {
    const id = newId();
    const told = await toldBy(async () => {
      await client.user.create({ data: person(id), select: { id: true } });
      await expect(client.user.create({ data: person(id), select: { id: true } })).rejects.toThrow();
      await expect(client.user.findFirstOrThrow({ where: { id: newId() } })).rejects.toThrow();
    });
    expect(told.map(({ statusCode }) => statusCode)).toEqual(['', '23505', 'P2025']);
  });

  it('takes no time while nobody listens', async () => {
    const clock = jest.spyOn(performance, 'now');
    await client.user.findMany({ select: { id: true }, take: 1 });
    const withoutListener = clock.mock.calls.length;
    await toldBy(() => client.user.findMany({ select: { id: true }, take: 1 }));
    const withListener = clock.mock.calls.length - withoutListener;
    clock.mockRestore();
    expect(withListener - withoutListener).toBe(2);
  });
});
