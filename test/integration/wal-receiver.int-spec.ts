import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BackupStore } from '../../src/backups/native/backup-store';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import type { WalArchive } from '../../src/backups/native/wal-archive';
import { WalReceiver } from '../../src/backups/native/wal-receiver';
import { MonitorDb } from '../../src/database/monitor-db';
import { WalSource } from '../../src/database/wal-source';
import { ReplicationRepository } from '../../src/monitoring/replication.repository';
import { eventually } from '../support/eventually';
import { gapsIn } from '../support/log-gaps';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const VARIABLE = 'POSTGRES_BACKUP_URL';

let server: OwnServer;
let directory: string;
let source: WalSource;
let store: BackupStore;
let archive: WalArchive;
beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  source = await WalSource.connect(server.urls.backup, VARIABLE);
  const repository = new LocalRepository(path.join(directory, 'repository'));
  store = new BackupStore(repository, [new BackupKey(randomBytes(32))]);
  ({ archive } = store);
}, 60_000);
afterAll(async () => {
  await source?.end();
  await server?.remove();
  removeTestDirectory(directory);
});

function start(): { receiver: WalReceiver; ended: Promise<void> } {
  const receiver = new WalReceiver({ source, store, slot: 'tenantry_archive', heartbeatMs: 100, segmentAgeMs: 500 });
  return { receiver, ended: receiver.run() };
}

describe('WalReceiver', () => {
  it('stores every segment soon, quiet system or not, each with the time of a commit', async () => {
    const { receiver, ended } = start();
    const before = new Date();
    const segments = await eventually(async () => {
      const found = await archive.list(1);
      expect(found.length).toBeGreaterThanOrEqual(3);
      expect(found.at(-1)!.committedAt!.getTime()).toBeGreaterThan(before.getTime());
      return found;
    });
    expect(gapsIn(segments)).toEqual([]);
    receiver.stop();
    await ended;
  });

  it('is no standby, though it is connected like one: it replays nothing, and would always be behind', async () => {
    const { receiver, ended } = start();
    const monitor = new MonitorDb(server.urls.monitor);
    try {
      // On a busy machine it may not catch up: a segment is 16 MB, however little is in it.
      const connected = "SELECT FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')";
      await eventually(async () => expect(await monitor.query(connected)).toHaveLength(1));
      expect(await new ReplicationRepository(monitor).readStandbys()).toEqual([]);
    } finally {
      await monitor.onApplicationShutdown();
      receiver.stop();
      await ended;
    }
  });

  it('goes on where it was, without a gap and without a doubt about what is there already', async () => {
    const before = (await archive.list(1)).length;
    await sleep(300); // log that nobody receives
    const { receiver, ended } = start();
    await eventually(async () => expect((await archive.list(1)).length).toBeGreaterThan(before + 1));
    receiver.stop();
    await ended;
    expect(gapsIn(await archive.list(1))).toEqual([]);
  });

  it('refuses other content under a known name', async () => {
    const [first] = await archive.list(1);
    await expect(archive.store(first!, randomBytes(1_000), undefined)).rejects.toThrow('with other content');
  });
});
