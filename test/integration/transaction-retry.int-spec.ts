import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { newId } from '../../src/common/id';
import { whileKeyed } from '../../src/database/keyed-request';
import { TenantDb, type TenantTx } from '../../src/database/tenant-db';
import { createTestApp, type TestApp } from '../support/app';

let app: TestApp;
let db: TenantDb;
let nest: NestFastifyApplication;
const tenantId = newId();

beforeAll(async () => {
  app = await createTestApp();
  nest = app.nest;
  db = nest.get(TenantDb);
  await db.run(tenantId, (tx) =>
    tx.tenant.create({ data: { id: tenantId, slug: 'retry', name: 'Retry', nameKey: 'retry' } }),
  );
});
afterAll(() => app.close());

const pidOf = async (tx: TenantTx): Promise<number> => {
  const [row] = await tx.$queryRaw<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
  return row!.pid;
};
const kill = (pid: number): Promise<unknown> => app.database.query('admin', 'SELECT pg_terminate_backend($1)', [pid]);

describe('a transaction of TenantDb', () => {
  it('is repeated when it loses against another one, and its work counts once', async () => {
    let attempts = 0;
    const bump = (): Promise<void> =>
      db.run(
        tenantId,
        async (tx) => {
          attempts += 1;
          const { version } = await tx.tenant.findUniqueOrThrow({ where: { id: tenantId }, select: { version: true } });
          await tx.tenant.update({ where: { id: tenantId }, data: { version: version + 1 } });
        },
        { isolationLevel: 'Serializable' },
      );
    await Promise.all([bump(), bump()]);
    const { version } = await db.read(tenantId, (tx) => tx.tenant.findUniqueOrThrow({ where: { id: tenantId } }));
    expect(version).toBe(3);
    expect(attempts).toBeGreaterThanOrEqual(2);
  });

  it('gives up after a bounded number of conflicts', async () => {
    let attempts = 0;
    const work = db.run(tenantId, async (tx) => {
      attempts += 1;
      await tx.$executeRaw`DO $$ BEGIN RAISE EXCEPTION 'conflict' USING ERRCODE = '40001'; END $$`;
    });
    await expect(work).rejects.toMatchObject({ code: 'too_busy' });
    expect(attempts).toBe(4);
  });

  it('reads once more when its connection dies', async () => {
    let attempts = 0;
    const name = await db.read(tenantId, async (tx) => {
      attempts += 1;
      if (attempts === 1) await tx.$queryRaw`SELECT pg_terminate_backend(pg_backend_pid())`;
      return (await tx.tenant.findUniqueOrThrow({ where: { id: tenantId }, select: { name: true } })).name;
    });
    expect({ name, attempts }).toEqual({ name: 'Retry', attempts: 2 });
  });

  it('never writes again when its connection dies: what happened is unknown', async () => {
    let attempts = 0;
    const work = db.run(tenantId, async (tx) => {
      attempts += 1;
      await kill(await pidOf(tx));
      await tx.tenant.update({ where: { id: tenantId }, data: { version: { increment: 1 } } });
    });
    await expect(work).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(attempts).toBe(1);
  });

  it('writes once more for a request with an Idempotency-Key, as long as nothing can have been committed', async () => {
    const request = { mayHaveWritten: false };
    const versionOf = async (): Promise<number> =>
      (await db.read(tenantId, (tx) => tx.tenant.findUniqueOrThrow({ where: { id: tenantId } }))).version;
    const before = await versionOf();
    let attempts = 0;
    await whileKeyed(request, () =>
      db.run(tenantId, async (tx) => {
        attempts += 1;
        await tx.tenant.update({ where: { id: tenantId }, data: { version: { increment: 1 } } });
        if (attempts > 1) return;
        expect(request.mayHaveWritten).toBe(false);
        await kill(await pidOf(tx));
        await pidOf(tx);
      }),
    );
    expect({ attempts, version: await versionOf(), ...request }).toEqual({
      attempts: 2,
      version: before + 1,
      mayHaveWritten: true,
    });
  });

  it('knows that nothing was written by a request with a key whose work failed twice', async () => {
    const request = { mayHaveWritten: false };
    const work = whileKeyed(request, () =>
      db.run(tenantId, async (tx) => {
        await kill(await pidOf(tx));
        await pidOf(tx);
      }),
    );
    await expect(work).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(request.mayHaveWritten).toBe(false);
  });

  it('begins on another connection when the one from the pool was dead', async () => {
    const pids = await Promise.all([1, 2, 3].map(() => db.run(tenantId, pidOf)));
    await Promise.all(pids.map(kill));
    await expect(db.run(tenantId, (tx) => tx.tenant.count({ where: { id: tenantId } }))).resolves.toBe(1);
  });
});
