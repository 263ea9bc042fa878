import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import pg from 'pg';
import type { BackupSummary } from '../../src/backups/engine';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import type { StoredFile } from '../../src/backups/repository/repository';
import { gapsIn } from '../support/log-gaps';
import { at, LATEST, RecoveryStage } from '../support/recovery-stage';

let stage: RecoveryStage;
let admin: pg.Client;
beforeAll(async () => {
  stage = await RecoveryStage.start();
  admin = new pg.Client({ connectionString: stage.server.adminUrl() });
  await admin.connect();
}, 60_000);
afterAll(async () => {
  await admin?.end();
  await stage?.end();
});

const create = (engine = stage.engineOf()): Promise<BackupSummary> => engine.createBackup({ checkpoint: 'fast' });
const slots = async (): Promise<number> => (await admin.query('SELECT FROM pg_replication_slots')).rowCount!;
/** What the server need not keep for anybody is gone. */
async function forgetLog(): Promise<void> {
  for (let segment = 0; segment < 4; segment += 1)
    await admin.query("SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()");
  await admin.query('CHECKPOINT');
}

describe('a backup that is taken while nobody receives the log', () => {
  it('has all that it needs with it, whatever the server forgets', async () => {
    await stage.write(1);
    const first = await create();
    expect(await slots()).toBe(0);
    await forgetLog();
    await stage.write(2);
    const second = await create();
    const engine = stage.engineOf();
    expect(await stage.numbersAt(at(first.finishedAt), engine, first.id)).toEqual([1]);
    expect(await stage.numbersAt(at(second.finishedAt), engine, second.id)).toEqual([1, 2]);
    expect(await stage.numbersAt(LATEST)).toEqual([1, 2]);
  }, 120_000);

  it('has it although the server would have forgotten it in the meantime', async () => {
    class Slow extends LocalRepository {
      override async put(name: string, content: Readable): Promise<StoredFile> {
        if (name.includes('base.tar')) await forgetLog();
        return super.put(name, content);
      }
    }
    stage.removeRepository();
    await create(stage.engineOf(stage.storeOf(new Slow(stage.repositoryRoot))));
    expect(await stage.numbersAt(LATEST)).toEqual([1, 2]);
  }, 60_000);

  it('is followed by the log up to now where that is asked for', async () => {
    await stage.write(3);
    await stage.engineOf().storeLog();
    expect(await stage.numbersAt(LATEST)).toEqual([1, 2, 3]);
  }, 60_000);
});

describe('a backup that is taken while the log is received', () => {
  it('can be restored at once, and the log has no gap', async () => {
    stage.removeRepository();
    const store = stage.storeOf();
    await stage.receive(store);
    for (let time = 0; time < 2; time += 1) {
      const { id, finishedAt } = await create();
      const { backup } = await stage.engineOf().planRestore({ moment: at(finishedAt) });
      expect(backup!.id).toBe(id);
    }
    await stage.stopReceiving();
    expect(gapsIn(await store.archive.list(1))).toEqual([]);
    await admin.query("SELECT pg_drop_replication_slot('stage')");
  }, 60_000);
});

describe('a backup whose log cannot be stored', () => {
  class WithoutRoomForLog extends LocalRepository {
    override put(name: string, content: Readable): Promise<StoredFile> {
      return name.startsWith('wal/') ? Promise.reject(new Error('no room')) : super.put(name, content);
    }
  }

  it('is none, and leaves neither a file nor a slot', async () => {
    stage.removeRepository();
    const engine = stage.engineOf(stage.storeOf(new WithoutRoomForLog(stage.repositoryRoot)));
    await expect(create(engine)).rejects.toThrow('no room');
    const backups = path.join(stage.repositoryRoot, 'backups');
    const left = existsSync(backups) ? readdirSync(backups, { recursive: true, withFileTypes: true }) : [];
    expect(left.filter((entry) => entry.isFile())).toEqual([]);
    expect(await slots()).toBe(0);
  }, 60_000);
});
