import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Logger } from '@nestjs/common';
import type { NativeEngine } from '../../src/backups/native/native-engine';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { eventually } from '../support/eventually';
import { LATEST, RecoveryStage } from '../support/recovery-stage';
import { SmallDisk } from '../support/small-disk';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** Less than a base backup of an empty cluster takes, compressed; and much more. */
const TOO_SMALL_MEGABYTES = 2;
const ENOUGH_MEGABYTES = 200;

/** Each restores a cluster. */
jest.setTimeout(120_000);

const mounted = makeTestDirectory();
const disk = SmallDisk.mount(mounted, TOO_SMALL_MEGABYTES);
let stage: RecoveryStage;
let engine: NativeEngine;
beforeAll(async () => {
  Logger.overrideLogger(false);
  stage = await RecoveryStage.start();
  engine = stage.engineOf(stage.storeOf(new LocalRepository(path.join(mounted, 'repository'))));
}, 120_000);
afterAll(async () => {
  await stage?.end();
  disk?.unmount();
  removeTestDirectory(mounted);
});

const onSmallDisk = disk ? it : it.skip;

describe('a full disk', () => {
  onSmallDisk('where backups lie leaves nothing of a backup; with room the next one is fine', async () => {
    disk!.resize(TOO_SMALL_MEGABYTES);
    await expect(engine.createBackup({ checkpoint: 'fast' })).rejects.toThrow('ENOSPC');
    expect(await engine.listBackups()).toEqual([]);
    expect(await engine.store.repository.list('')).toEqual([]);
    expect(readdirSync(path.join(mounted, 'repository', '.partial'))).toEqual([]);
    disk!.resize(ENOUGH_MEGABYTES);
    const { id } = await engine.createBackup({ checkpoint: 'fast' });
    await engine.verifyBackup(id);
  });

  onSmallDisk(
    'where backups lie loses no log: the server keeps it, and with room it is stored without a gap',
    async () => {
      disk!.resize(ENOUGH_MEGABYTES);
      await stage.receive(engine.store);
      await eventually(async () => expect(await engine.store.archive.list(1)).not.toEqual([]));
      await engine.createBackup({ checkpoint: 'fast' });
      await stage.stored(await stage.write(1), engine);
      const filler = path.join(mounted, 'filler');
      expect(() => writeFileSync(filler, Buffer.alloc(ENOUGH_MEGABYTES * 1024 * 1024))).toThrow('ENOSPC');
      const meanwhile = await stage.write(2);
      await expect(stage.stored(meanwhile, engine, 3_000)).rejects.toThrow();
      await stage.stopReceiving(); // it has failed: whoever runs it starts it again
      rmSync(filler);
      await stage.receive(engine.store);
      await stage.stored(await stage.write(3), engine);
      await stage.stopReceiving();
      expect((await engine.coverage()).filter(({ gap }) => gap !== undefined)).toEqual([]);
      expect(await stage.numbersAt(LATEST, engine)).toEqual([1, 2, 3]);
    },
  );

  onSmallDisk('where a cluster is restored to leaves nothing there, and does not blame the backup', async () => {
    disk!.resize(ENOUGH_MEGABYTES);
    const used = readdirSync(mounted);
    const directory = path.join(mounted, 'restored');
    disk!.resize(usedMegabytes(mounted) + 4); // room for a part of the cluster
    const plan = await engine.planRestore({ moment: LATEST });
    await expect(engine.materialize(plan, { directory })).rejects.toThrow('ENOSPC');
    expect(readdirSync(mounted)).toEqual(used);
    disk!.resize(ENOUGH_MEGABYTES);
    await engine.verifyBackup(plan.backup!.id);
  });
});

function usedMegabytes(directory: string): number {
  const { blocks, bfree, bsize } = statfsSync(directory);
  return Math.ceil(((blocks - bfree) * bsize) / 1024 / 1024);
}
