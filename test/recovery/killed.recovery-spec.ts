import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { BackupStore } from '../../src/backups/native/backup-store';
import type { NativeEngine } from '../../src/backups/native/native-engine';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { eventually } from '../support/eventually';
import { LATEST, RecoveryStage } from '../support/recovery-stage';
import { S3Server } from '../support/s3-server';
import { ServerProcess } from '../support/server-process';

/** Each starts some processes. */
jest.setTimeout(120_000);

const KEY = randomBytes(32);
const started: ServerProcess[] = [];

let project: ProjectCopy;
let stage: RecoveryStage;
let storage: S3Server;
/** With a backup, and log. */
let root: string;
let engine: NativeEngine;
beforeAll(async () => {
  Logger.overrideLogger(false);
  project = copyProject();
  buildProject(project);
  [stage, storage] = await Promise.all([RecoveryStage.start(), S3Server.start()]);
  root = path.join(stage.directory, 'killed');
  engine = stage.engineOf(new BackupStore(new LocalRepository(root), [new BackupKey(KEY)]));
  // From the first receiver on the server keeps the log until it is stored.
  const receiver = start(here(), 'wal', 'receive', '--every', '1');
  await receiver.says(/is stored in/);
  await eventually(async () => expect(await engine.store.repository.list('wal/')).not.toEqual([]));
  receiver.kill('SIGTERM');
  await receiver.ended;
}, 180_000);
afterAll(async () => {
  for (const command of started) command.kill('SIGKILL');
  await storage?.stop();
  await stage?.end();
  project?.remove();
});

/** `tenantry …` against the server of the stage. */
function start(repository: Record<string, string>, ...args: string[]): ServerProcess {
  const binDir = process.env.TEST_POSTGRES_BIN;
  const env = {
    DATA_DIR: path.join(stage.directory, 'data'),
    POSTGRES_BACKUP_URL: stage.server.urls.backup,
    BACKUP_KEY: KEY.toString('base64'),
    ...(binDir && { POSTGRES_BIN_DIR: binDir }),
    ...repository,
  };
  const command = new ServerProcess(project.directory, env, [process.execPath, 'dist/cli/tenantry.js', ...args]);
  started.push(command);
  return command;
}
async function run(repository: Record<string, string>, ...args: string[]): Promise<string> {
  const command = start(repository, ...args);
  const { code } = await command.ended;
  expect(`${code} ${command.output}`).toMatch(/^0 /);
  return command.output;
}
async function kill(command: ServerProcess): Promise<void> {
  command.kill('SIGKILL');
  expect(await command.ended).toMatchObject({ signal: 'SIGKILL' });
}
const here = (): Record<string, string> => ({ BACKUP_DIR: root });

describe('kill -9 in the middle of a backup', () => {
  it('leaves no backup in a directory, and the next one is fine', async () => {
    const command = start(here(), 'backup', 'create');
    await eventually(async () => {
      expect(readdirSync(path.join(root, '.partial'))).toHaveLength(1);
      await Promise.resolve();
    });
    await kill(command);
    expect(await engine.listBackups()).toEqual([]);
    expect(await run(here(), 'backup', 'list')).toContain('There is no backup');
    await run(here(), 'backup', 'create');
    expect(await run(here(), 'backup', 'verify')).toContain('is whole');
  });

  it('leaves no backup in object storage, and the next one is fine', async () => {
    const there = storage.env('killed');
    storage.fault = (method, url) => (method === 'PUT' && url.includes('base.tar') ? { kind: 'stall' } : undefined);
    const command = start(there, 'backup', 'create');
    await eventually(async () => {
      expect(storage.requests.filter((request) => /^PUT .*base\.tar/.test(request))).toHaveLength(1);
      await Promise.resolve();
    }, 20_000);
    await kill(command);
    storage.fault = () => undefined;
    expect(await run(there, 'backup', 'list')).toContain('There is no backup');
    await run(there, 'backup', 'create');
    expect(await run(there, 'backup', 'verify')).toContain('is whole');
  });

  it('leaves files that are forgotten once they are two days old, and not before', async () => {
    const { store } = engine;
    const files = (): Promise<string[]> => store.repository.list('backups/');
    const orphan = 'backups/20200101T000000Z-abcdef/base.tar.gz.sealed';
    await store.repository.put(orphan, Readable.from([Buffer.from('half')], { objectMode: false }));
    const whole = (await files()).filter((name) => name !== orphan);
    await store.sweep(new Date('2020-01-02T00:00:00Z'));
    expect(await files()).toContain(orphan);
    await store.sweep(new Date());
    expect(await files()).toEqual(whole);
  });
});

describe('kill -9 of the receiver of the log', () => {
  it('loses nothing, however often', async () => {
    for (let number = 1; number <= 3; number += 1) {
      const receiver = start(here(), 'wal', 'receive', '--every', '1');
      await receiver.says(/is stored in/);
      await stage.stored(await stage.write(number), engine);
      await stage.write(10 + number);
      await kill(receiver);
      await stage.write(20 + number);
    }
    const receiver = start(here(), 'wal', 'receive', '--every', '1');
    await stage.stored(await stage.write(30), engine);
    receiver.kill('SIGTERM');
    expect(await receiver.ended).toMatchObject({ code: 0 });
    expect((await engine.coverage()).map(({ gap }) => gap)).toEqual([undefined]);
    expect(await stage.numbersAt(LATEST, engine)).toEqual([1, 2, 3, 11, 12, 13, 21, 22, 23, 30]);
  });
});

describe('kill -9 in the middle of a restore', () => {
  it.each([
    ['while files come', /"part":"files"/],
    ['once its server runs', /"step":"verify"/],
  ])('%s leaves nothing in its place, and the next one is fine', async (_, moment) => {
    const target = stage.newTarget();
    const restore = ['restore', '--latest', '--to', target, '--yes', '--json'];
    const command = start(here(), ...restore);
    await command.says(moment);
    await kill(command);
    expect(existsSync(target)).toBe(false);
    expect(await run(here(), ...restore)).toContain('"status":"restored"');
    expect(existsSync(path.join(target, 'PG_VERSION'))).toBe(true);
    const beside = readdirSync(path.dirname(target)).filter((name) => name.startsWith(path.basename(target)));
    expect(beside).toEqual([path.basename(target)]);
  });

  it('in place leaves the cluster as it was; the next one replaces it, and keeps it', async () => {
    await stage.owner.end();
    await stage.server.stop();
    const { pgData } = stage.server;
    const restore = ['restore', '--latest', '--in-place', '--data-directory', pgData, '--yes', '--json'];
    const command = start(here(), ...restore);
    await command.says(/"step":"verify"/);
    await kill(command);
    await stage.server.startAgain(); // and serves
    await stage.server.stop();
    expect(await run(here(), ...restore)).toContain('"status":"restored"');
    const beside = readdirSync(path.dirname(pgData)).filter((name) => name.startsWith('data'));
    expect(beside).toEqual(['data', expect.stringMatching(/^data\.before-/)]);
    await stage.server.startAgain();
  });
});

describe('kill -9 of PostgreSQL in the middle of a backup', () => {
  it('ends it with an error, leaves nothing of it, and the next one is fine', async () => {
    const before = await engine.store.repository.list('backups/');
    let killed = false;
    const onProgress = (): void => {
      if (!killed) stage.server.kill();
      killed = true;
    };
    await expect(engine.createBackup({ checkpoint: 'fast', onProgress })).rejects.toThrow(
      /terminated|ended|closed|reset/i,
    );
    expect(await engine.store.repository.list('backups/')).toEqual(before);
    // The embedded server is started again by whoever has started it.
    const { id } = await eventually(() => engine.createBackup({ checkpoint: 'fast' }), 30_000);
    await engine.verifyBackup(id);
  });
});
