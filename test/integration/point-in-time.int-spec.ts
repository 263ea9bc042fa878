import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { OutsideCoverageError, type RecoveredCluster } from '../../src/backups/engine';
import { BackupStore } from '../../src/backups/native/backup-store';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { WalReceiver } from '../../src/backups/native/wal-receiver';
import { verifyCluster } from '../../src/database/cluster-verification';
import { WalSource } from '../../src/database/wal-source';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const VARIABLE = 'POSTGRES_BACKUP_URL';
const BIN_DIR = process.env.TEST_POSTGRES_BIN;

let server: OwnServer;
let source: WalSource;
let owner: pg.Client;
let engine: NativeEngine;
let directory: string;
/** By the server's clock after each row. (A Date has no microseconds: cut off, it would lie before the commit.) */
const written: Date[] = [];

beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  source = await WalSource.connect(server.urls.backup, VARIABLE);
  const key = new BackupKey(randomBytes(32));
  const store = new BackupStore(new LocalRepository(path.join(directory, 'repository')), [key]);
  engine = new NativeEngine(store, { url: () => server.urls.backup, binDir: BIN_DIR });
  const receiver = new WalReceiver({ source, store, slot: 'test', heartbeatMs: 200, segmentAgeMs: 1_000 });
  const received = receiver.run();
  owner = new pg.Client({ connectionString: server.urls.owner });
  await owner.connect();
  await owner.query('CREATE TABLE public.numbers (number int)');
  await engine.createBackup({ checkpoint: 'fast' });
  for (let number = 0; number < 3; number += 1) {
    await owner.query('INSERT INTO public.numbers VALUES ($1)', [number]);
    const { rows } = await owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
    written.push(rows[0]!.now);
    await sleep(20);
  }
  await eventually(async () => {
    const { until } = await engine.planRestore({ moment: { kind: 'latest' } });
    expect(until.getTime()).toBeGreaterThan(written.at(-1)!.getTime());
  }, 30_000);
  receiver.stop();
  await received;
}, 120_000);
afterAll(async () => {
  await owner?.end();
  await source?.end();
  await server?.remove();
  removeTestDirectory(directory);
});

/** Looks at a cluster restored to that moment, as its superuser. */
async function restored<Result>(
  at: Date | undefined,
  look: (client: pg.Client, server: RecoveredCluster) => Promise<Result>,
): Promise<Result> {
  const target = path.join(directory, `restored-${randomBytes(3).toString('hex')}`);
  const plan = await engine.planRestore({ moment: at ? { kind: 'time', at } : { kind: 'latest' } });
  const recovered = await engine.materialize(plan, { directory: target });
  const client = new pg.Client({ connectionString: recovered.adminUrl('tenantry') });
  try {
    await client.connect();
    return await look(client, recovered);
  } finally {
    await client.end();
    await recovered.finish();
    expect(existsSync(path.join(target, 'recovery_hba.conf'))).toBe(false);
    rmSync(target, { recursive: true });
  }
}

const numbersAt = (at: Date | undefined): Promise<number[]> =>
  restored(at, async (client) => {
    const { rows } = await client.query<{ number: number }>('SELECT number FROM public.numbers ORDER BY number');
    return rows.map(({ number }) => number);
  });

describe('a restore', () => {
  it('stops between two commits, where it is told to', async () => {
    expect(await numbersAt(written[0])).toEqual([0]);
    expect(await numbersAt(written[1])).toEqual([0, 1]);
  });

  it('goes as far as the stored log does', async () => {
    expect(await numbersAt(undefined)).toEqual([0, 1, 2]);
  });

  it('is refused for a time that is not covered, which PostgreSQL would not notice', async () => {
    for (const at of [new Date(written[0]!.getTime() - 3_600_000), new Date(Date.now() + 60_000)])
      await expect(engine.planRestore({ moment: { kind: 'time', at } })).rejects.toThrow(OutsideCoverageError);
  });
});

describe('the verification of a restored cluster', () => {
  it('finds nothing in a sound one, and names what was tampered with', async () => {
    await restored(undefined, async (client, { adminUrl }) => {
      expect(await verifyCluster(adminUrl)).toEqual([]);
      await client.query('ALTER TABLE app.roles NO FORCE ROW LEVEL SECURITY');
      await client.query('ALTER ROLE tenantry_platform BYPASSRLS');
      await client.query(`DELETE FROM public._prisma_migrations WHERE migration_name LIKE '%create_size_samples'`);
      await client.query('SET session_replication_role = replica'); // no foreign key is looked at
      const tenantId = randomUUID();
      await client.query(`INSERT INTO app.tenants (id, slug, name, name_key) VALUES ($1, 'left', 'Left', 'left')`, [
        tenantId,
      ]);
      await client.query(
        `INSERT INTO app.membership_roles (tenant_id, membership_id, role_id) VALUES ($1, gen_random_uuid(), gen_random_uuid())`,
        [tenantId],
      );
      const found = await verifyCluster(adminUrl);
      expect(found.map(({ check, problem }) => `${check}: ${problem}`).toSorted()).toEqual([
        expect.stringMatching(/^logins: tenantry_platform could get round/),
        expect.stringMatching(/^migrations: the migration \d+_create_size_samples is pending/),
        expect.stringMatching(/^owners: the tenant left \(.+\) has no owner/),
        expect.stringMatching(/^protection: app.roles is not under forced/),
        expect.stringMatching(/^references: 1 rows refer to nothing by .+ of app.membership_roles/),
        expect.stringMatching(/^references: 1 rows refer to nothing by .+ of app.membership_roles/),
      ]);
    });
  });
});
