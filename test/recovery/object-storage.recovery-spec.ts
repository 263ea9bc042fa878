import { randomBytes } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { RepositoryFailedError } from '../../src/backups/repository/repository';
import { S3Repository } from '../../src/backups/repository/s3-repository';
import { readBackupEnv } from '../../src/config/backup-env';
import { at, LATEST, RecoveryStage } from '../support/recovery-stage';
import { S3Server } from '../support/s3-server';

const LIMITS = { connectTimeoutMs: 5_000, idleTimeoutMs: 10_000, attempts: 2 };

/** Slower than the stage's own: s3rver beside the tests takes in a few segments a second, no more. */

/** Each restores some clusters. */
jest.setTimeout(120_000);

let stage: RecoveryStage;
let storage: S3Server;
beforeAll(async () => {
  Logger.overrideLogger(false);
  [stage, storage] = await Promise.all([RecoveryStage.start(), S3Server.start()]);
}, 120_000);
afterAll(async () => {
  await stage?.end();
  await storage?.stop();
});
afterEach(() => (storage.fault = () => undefined));

/** As the variables make it. */
const engineOf = (prefix: string): NativeEngine =>
  NativeEngine.open(
    readBackupEnv({
      ...storage.env(prefix),
      POSTGRES_BACKUP_URL: stage.server.urls.backup,
      POSTGRES_BIN_DIR: process.env.TEST_POSTGRES_BIN,
      BACKUP_KEY: randomBytes(32).toString('base64'),
    }),
  );
const impatientEngine = (prefix: string): NativeEngine =>
  stage.engineOf(stage.storeOf(new S3Repository(storage.bucket(prefix), LIMITS)));

describe('backups in object storage', () => {
  it('lead back to any moment', async () => {
    const engine = engineOf('whole');
    await stage.receive(engine.store);
    const backup = await engine.createBackup({ checkpoint: 'fast' });
    const before = await stage.write(1);
    const after = await stage.write(2);
    await stage.stored(after, engine);
    await stage.stopReceiving();
    await engine.verifyBackup(backup.id);
    expect(await stage.numbersAt(at(before), engine)).toEqual([1]);
    expect(await stage.numbersAt(LATEST, engine)).toEqual([1, 2]);
    expect(await engine.prune({ keep: 1, days: 0 }, { dryRun: false })).toMatchObject({ backups: [] });
    expect((await engine.listBackups()).map(({ id }) => id)).toEqual([backup.id]);
  });

  it('are whole or not there when the storage fails in the middle; the next one is fine', async () => {
    const engine = impatientEngine('failing/');
    storage.fault = (method, url) =>
      method === 'PUT' && url.includes('backup_manifest') ? { kind: 'refuse', status: 507 } : undefined;
    const failed = engine.createBackup({ checkpoint: 'fast' });
    await expect(failed).rejects.toThrow(RepositoryFailedError);
    await expect(failed).rejects.toThrow('the bucket backups (failing/)');
    storage.fault = () => undefined;
    expect(await engine.store.repository.list('')).toEqual([]);
    expect(storage.unfinishedUploads()).toEqual([]);
    const backup = await engine.createBackup({ checkpoint: 'fast' });
    await engine.verifyBackup(backup.id);
  });

  it('that cannot be reached are no damaged backups', async () => {
    const engine = impatientEngine('away/');
    const backup = await engine.createBackup({ checkpoint: 'fast' });
    storage.fault = (method, url) =>
      method === 'GET' && url.includes('base.tar') ? { kind: 'refuse', status: 503 } : undefined;
    await expect(engine.verifyBackup(backup.id)).rejects.toThrow(RepositoryFailedError);
    storage.fault = () => undefined;
    await engine.verifyBackup(backup.id);
  });

  it('lose no log while the storage is away', async () => {
    const engine = impatientEngine('log/');
    await stage.receive(engine.store);
    await engine.createBackup({ checkpoint: 'fast' });
    await stage.stored(await stage.write(3), engine);
    storage.fault = (method) => (method === 'PUT' ? { kind: 'refuse', status: 503 } : undefined);
    const meanwhile = await stage.write(4);
    await expect(stage.stored(meanwhile, engine, 3_000)).rejects.toThrow();
    storage.fault = () => undefined;
    await stage.stopReceiving(); // it has failed: whoever runs it starts it again
    await stage.receive(engine.store);
    await stage.stored(await stage.write(5), engine);
    await stage.stopReceiving();
    expect((await engine.coverage()).map(({ gap }) => gap)).toEqual([undefined]);
    expect(await stage.numbersAt(LATEST, engine)).toEqual(expect.arrayContaining([3, 4, 5]));
  });
});
