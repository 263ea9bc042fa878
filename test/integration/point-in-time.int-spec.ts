import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdirSync, chownSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { LocalRepository } from '../../src/backups/local-repository';
import { materialize } from '../../src/backups/materialize';
import { BackupKey } from '../../src/backups/sealed-stream';
import { takeBackup } from '../../src/backups/take-backup';
import { WalArchive } from '../../src/backups/wal-archive';
import { WalReceiver } from '../../src/backups/wal-receiver';
import { findPostgresBinaries } from '../../src/database/postgres-binaries';
import { recover } from '../../src/database/recovery-server';
import { serverAccount } from '../../src/database/unprivileged-account';
import { WalSource } from '../../src/database/wal-source';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

it('restores to a moment between two commits', async () => {
  const server = await OwnServer.start();
  const directory = makeTestDirectory();
  const key = new BackupKey(randomBytes(32));
  const repository = new LocalRepository(path.join(directory, 'repository'));
  const source = await WalSource.connect(server.urls.backup, 'X');
  const archive = new WalArchive(repository, [key], await source.segmentBytes());
  const receiver = new WalReceiver({ source, archive, slot: 's', heartbeatMs: 50, segmentAgeMs: 200 });
  const ended = receiver.run();
  await sleep(100);
  const owner = new pg.Client({ connectionString: server.urls.owner });
  await owner.connect();
  await owner.query('CREATE TABLE public.t (x text)');
  const manifest = await takeBackup({ repository, key, url: server.urls.backup, variable: 'X', checkpoint: 'fast' });
  await owner.query("INSERT INTO public.t VALUES ('first')");
  const { rows } = await owner.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  await sleep(20);
  await owner.query("INSERT INTO public.t VALUES ('second')");
  await sleep(200);
  const count = (await archive.list(1)).length;
  await eventually(async () => expect((await archive.list(1)).length).toBeGreaterThan(count + 1));
  console.log('stopping');
  receiver.stop();
  await ended;
  await owner.end();

  console.log('stopped');
  const pgData = path.join(directory, 'restored');
  const account = serverAccount(pgData);
  const t0 = Date.now();
  await materialize({ repository, keys: [key], manifest, directory: pgData, account });
  const wal = path.join(directory, 'wal');
  mkdirSync(wal);
  for (const segment of await archive.list(1)) {
    await pipeline(await archive.read(segment.file), createWriteStream(path.join(wal, segment.name)));
  }
  if (account) chownSync(wal, account.uid, account.gid);
  const binaries = await findPostgresBinaries(process.env.TEST_POSTGRES_BIN, account);
  console.log('materialized');
  const recovered = await recover({
    pgData,
    walDirectory: wal,
    target: { kind: 'time', at: rows[0]!.now },
    timeline: 1,
    binaries,
    account,
  });
  const client = new pg.Client({ connectionString: recovered.adminUrl('own') });
  await client.connect();
  const found = await client.query('SELECT x FROM public.t');
  await client.end();
  await recovered.finish();
  console.log(found.rows, Date.now() - t0);
  expect(found.rows).toEqual([{ x: 'first' }]);
  await source.end();
  await server.remove();
  removeTestDirectory(directory);
}, 60_000);
