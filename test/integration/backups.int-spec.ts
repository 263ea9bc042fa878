import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { BackupKey } from '../../src/backups/sealed-stream';
import { LocalRepository } from '../../src/backups/local-repository';
import { takeBackup } from '../../src/backups/take-backup';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

let server: OwnServer;
let directory: string;
beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
});
afterAll(async () => {
  await server.remove();
  removeTestDirectory(directory);
});

it('takes a backup', async () => {
  const repository = new LocalRepository(path.join(directory, 'repo'));
  const manifest = await takeBackup({
    repository,
    key: new BackupKey(randomBytes(32)),
    url: server.urls.backup,
    variable: 'POSTGRES_BACKUP_URL',
    checkpoint: 'fast',
  });
  console.log(manifest, await repository.list(''), readdirSync(directory));
});
