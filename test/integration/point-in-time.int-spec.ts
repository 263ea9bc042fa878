import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { BackupStore } from '../../src/backups/backup-store';
import { OutsideCoverageError } from '../../src/backups/coverage';
import { LocalRepository } from '../../src/backups/local-repository';
import { planRestore, restore } from '../../src/backups/restore';
import { BackupKey } from '../../src/backups/sealed-stream';
import { takeBackup } from '../../src/backups/take-backup';
import { WalReceiver } from '../../src/backups/wal-receiver';
import { WalSource } from '../../src/database/wal-source';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const VARIABLE = 'POSTGRES_BACKUP_URL';
const BIN_DIR = process.env.TEST_POSTGRES_BIN;

let server: OwnServer;
let source: WalSource;
let owner: pg.Client;
let store: BackupStore;
let directory: string;
/** The server's clock after each row. */
const written: Date[] = [];

beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  source = await WalSource.connect(server.urls.backup, VARIABLE);
  const key = new BackupKey(randomBytes(32));
  store = new BackupStore(new LocalRepository(path.join(directory, 'repository')), [key]);
  const receiver = new WalReceiver({
    source,
    archive: store.archive,
    slot: 'test',
    heartbeatMs: 50,
    segmentAgeMs: 200,
  });
  const received = receiver.run();
  owner = new pg.Client({ connectionString: server.urls.owner });
  await owner.connect();
  await owner.query('CREATE TABLE public.numbers (number int)');
  await takeBackup({
    repository: store.repository,
    key,
    url: server.urls.backup,
    variable: VARIABLE,
    checkpoint: 'fast',
  });
  for (let number = 0; number < 3; number += 1) {
    await owner.query('INSERT INTO public.numbers VALUES ($1)', [number]);
    const { rows } = await owner.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    written.push(rows[0]!.now);
    await sleep(20);
  }
  await eventually(async () => {
    const { window } = await planRestore(store, { kind: 'latest' });
    expect(window.to.getTime()).toBeGreaterThan(written.at(-1)!.getTime());
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

/** The rows of a cluster restored to that moment. */
async function numbersAt(at: Date | undefined): Promise<number[]> {
  const target = path.join(directory, `restored-${randomBytes(3).toString('hex')}`);
  const plan = await planRestore(store, at ? { kind: 'time', at } : { kind: 'latest' });
  const restored = await restore({ store, plan, directory: target, binDir: BIN_DIR });
  const client = new pg.Client({ connectionString: restored.adminUrl('own') });
  try {
    await client.connect();
    const { rows } = await client.query<{ number: number }>('SELECT number FROM public.numbers ORDER BY number');
    return rows.map(({ number }) => number);
  } finally {
    await client.end();
    await restored.finish();
    expect(existsSync(path.join(target, 'recovery_hba.conf'))).toBe(false);
    rmSync(target, { recursive: true });
  }
}

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
      await expect(planRestore(store, { kind: 'time', at })).rejects.toThrow(OutsideCoverageError);
  });
});
