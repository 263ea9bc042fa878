import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type BackupManifest, readManifest } from '../../src/backups/native/backup-manifest';
import { BackupStore } from '../../src/backups/native/backup-store';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { materialize } from '../../src/backups/native/materialize';
import { readBackup } from '../../src/backups/native/read-backup';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { takeBackup } from '../../src/backups/native/take-backup';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const key = new BackupKey(randomBytes(32));

let server: OwnServer;
let directory: string;
let root: string;
let repository: LocalRepository;
let manifest: BackupManifest;
beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  root = path.join(directory, 'repository');
  repository = new LocalRepository(root);
  manifest = await take(key);
}, 60_000);
afterAll(async () => {
  await server.remove();
  removeTestDirectory(directory);
});

const take = (by: BackupKey | undefined): Promise<BackupManifest> =>
  takeBackup({
    store: new BackupStore(repository, by ? [by] : []),
    url: server.urls.backup,
    variable: 'POSTGRES_BACKUP_URL',
    checkpoint: 'fast',
  });
const verify = (of = manifest, keys = [key]): Promise<void> => readBackup({ repository, keys, manifest: of });

describe('a base backup', () => {
  it('is whole, and says what it is', async () => {
    expect(manifest.files.map(({ name }) => name.split('/').at(-1))).toEqual([
      'base.tar.gz.sealed',
      'backup_manifest.gz.sealed',
    ]);
    for (const { name, bytes } of manifest.files) expect(statSync(path.join(root, name)).size).toBe(bytes);
    const stored = readFileSync(path.join(root, `backups/${manifest.id}/manifest.json`), 'utf8');
    expect(readManifest(manifest.id, stored, [key])).toEqual(JSON.parse(JSON.stringify(manifest)));
    expect(readFileSync(path.join(root, manifest.files[0]!.name)).includes('PG_VERSION')).toBe(false);
    await expect(verify()).resolves.toBeUndefined();
  });

  it('needs no key when it was taken without one', async () => {
    const plain = await take(undefined);
    expect(plain.keyId).toBeUndefined();
    await expect(verify(plain, [])).resolves.toBeUndefined();
  });

  it('does not open without its key', async () => {
    await expect(verify(manifest, [new BackupKey(randomBytes(32))])).rejects.toThrow(`sealed with the key ${key.id}`);
  });

  it.each([0, 1])('notices a flipped byte, a cut and a loss of its file %i', async (index) => {
    const file = path.join(root, manifest.files[index]!.name);
    const sound = readFileSync(file);
    try {
      const flipped = Buffer.from(sound);
      flipped[Math.floor(sound.length / 2)]! ^= 1;
      writeFileSync(file, flipped);
      await expect(verify()).rejects.toThrow(`The backup ${manifest.id} is damaged`);
      writeFileSync(file, sound.subarray(0, sound.length - 1_000));
      await expect(verify()).rejects.toThrow('is damaged');
      rmSync(file);
      await expect(verify()).rejects.toThrow('a file is missing');
    } finally {
      writeFileSync(file, sound);
    }
    await expect(verify()).resolves.toBeUndefined();
  });

  it('becomes a data directory again', async () => {
    const target = path.join(directory, 'restored');
    await materialize({ repository, keys: [key], manifest, directory: target, account: undefined });
    expect(readFileSync(path.join(target, 'PG_VERSION'), 'utf8').trim()).toBe(String(manifest.serverMajor));
    expect(existsSync(path.join(target, 'backup_label'))).toBe(true);
    expect(statSync(target).mode & 0o777).toBe(0o700);
  });

  it('leaves nothing where it could not be restored', async () => {
    const target = path.join(directory, 'half');
    const wrong = materialize({ repository, keys: [], manifest, directory: target, account: undefined });
    await expect(wrong).rejects.toThrow('is damaged');
    expect(existsSync(target)).toBe(false);
  });

  it('is not mixed with those of another cluster', async () => {
    const other = new BackupStore(repository, [key]);
    const cluster = { systemId: manifest.systemId, segmentBytes: 16 * 1024 * 1024 };
    await expect(other.assertOf(cluster)).resolves.toBeUndefined();
    await expect(other.assertOf({ ...cluster, systemId: '1' })).rejects.toThrow('backups of another cluster');
    await expect(other.assertOf({ ...cluster, segmentBytes: 2 ** 26 })).rejects.toThrow('wal_segment_size is 67108864');
  });
});
