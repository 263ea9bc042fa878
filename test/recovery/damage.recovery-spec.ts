import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Logger } from '@nestjs/common';
import { BackupDamagedError, OutsideCoverageError } from '../../src/backups/engine';
import type { NativeEngine } from '../../src/backups/native/native-engine';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { at, LATEST, RecoveryStage } from '../support/recovery-stage';

/** Each restores some clusters. */
jest.setTimeout(120_000);

let stage: RecoveryStage;
let before: Date;
let after: Date;
let backupId: string;
beforeAll(async () => {
  Logger.overrideLogger(false); // what is damaged is logged, too
  stage = await RecoveryStage.start();
  await stage.receive();
  ({ id: backupId } = await stage.engineOf().createBackup({ checkpoint: 'fast' }));
  before = await stage.write(1);
  await stage.stored(before);
  after = await stage.write(2);
  await stage.stored(after);
  await stage.stopReceiving();
}, 120_000);
afterAll(() => stage?.end());

/** The files of a repository whose name matches, as paths. */
const filesOf = (root: string, pattern: RegExp): string[] =>
  readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name))
    .toSorted()
    .map((name) => path.join(root, name));
const BASE = /base\.tar\.gz\.sealed$/;
const SERVER_MANIFEST = /backup_manifest\.gz\.sealed$/;
const MANIFEST = /[^_]manifest\.json$/;
const SEGMENT = /wal\/.*\.gz\.sealed$/;

function flip(file: string, position = 0.5): void {
  const content = readFileSync(file);
  content[Math.floor(content.length * position)]! ^= 1;
  writeFileSync(file, content);
}
const cut = (file: string): void => truncateSync(file, readFileSync(file).length - 100);

async function failureOf(engine: NativeEngine): Promise<Error> {
  try {
    await stage.numbersAt(at(after), engine);
  } catch (error) {
    return error as Error;
  }
  throw new Error('It was restored.');
}

describe('a repository that is as it was written', () => {
  it('restores', async () => {
    expect(await stage.numbersAt(at(before))).toEqual([1]);
    expect(await stage.numbersAt(at(after))).toEqual([1, 2]);
  });
});

describe.each([
  ['a flipped byte', flip],
  ['a cut', cut],
])('%s', (_, damage) => {
  it.each([
    ['the cluster', BASE],
    ["the server's manifest", SERVER_MANIFEST],
  ])('in %s is named, by a restore as by a verification, and nothing is left', async (__, pattern) => {
    const { root, engine } = stage.copyOfRepository();
    const [file] = filesOf(root, pattern);
    damage(file!);
    const error = await failureOf(engine);
    expect(error).toBeInstanceOf(BackupDamagedError);
    expect(error.message).toContain(path.basename(file!));
    await expect(engine.verifyBackup(backupId)).rejects.toThrow(error.message);
    expect(stage.leftovers()).toEqual([]);
  });

  it('in the log is named by a restore that needs it, and does not touch one that does not', async () => {
    const { root, engine } = stage.copyOfRepository();
    const file = filesOf(root, SEGMENT).at(-1)!;
    damage(file);
    await expect(stage.numbersAt(LATEST, engine)).rejects.toThrow(path.basename(file));
    expect(stage.leftovers()).toEqual([]);
    expect(await stage.numbersAt(at(before), engine)).toEqual([1]);
  });
});

describe('a manifest', () => {
  it.each([0.1, 0.3, 0.5, 0.7, 0.9])(
    'with a byte flipped at %d is no manifest, whatever that byte was',
    async (where) => {
      const { root, engine } = stage.copyOfRepository();
      flip(filesOf(root, MANIFEST)[0]!, where);
      expect(await engine.listBackups()).toEqual([]);
      expect((await engine.damagedBackups()).map(({ message }) => message)).toEqual([
        expect.stringMatching(new RegExp(`^The backup ${backupId} is damaged: its manifest`)),
      ]);
      await expect(engine.planRestore({ moment: LATEST })).rejects.toThrow(OutsideCoverageError);
    },
  );

  it('that somebody without the key has written is refused', async () => {
    const { root, engine } = stage.copyOfRepository();
    const [file] = filesOf(root, MANIFEST);
    const manifest = JSON.parse(readFileSync(file!, 'utf8')) as { finishedAt: string };
    writeFileSync(file!, JSON.stringify({ ...manifest, finishedAt: '2020-01-01T00:00:00.000Z' }));
    await expect(engine.verifyBackup(backupId)).rejects.toThrow('is not as it was written');
  });

  it('that is not sealed is refused where there is a key', async () => {
    const { root, engine } = stage.copyOfRepository();
    const [file] = filesOf(root, MANIFEST);
    const {
      seal: _seal,
      keyId: _keyId,
      ...manifest
    } = JSON.parse(readFileSync(file!, 'utf8')) as Record<string, unknown>;
    const seal = createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
    writeFileSync(file!, JSON.stringify({ ...manifest, seal }));
    expect(await engine.listBackups()).toEqual([]);
    await expect(engine.verifyBackup(backupId)).rejects.toThrow('its manifest is not sealed');
  });

  it('that is damaged does not keep the other backups from being restored', async () => {
    const { root, engine } = stage.copyOfRepository();
    await engine.createBackup({ checkpoint: 'fast' });
    flip(filesOf(root, MANIFEST).at(-1)!);
    expect(await stage.numbersAt(at(before), engine)).toEqual([1]);
  });
});

describe('a file that is missing', () => {
  it.each([BASE, SERVER_MANIFEST])('is named: %s', async (pattern) => {
    const { root, engine } = stage.copyOfRepository();
    rmSync(filesOf(root, pattern)[0]!);
    await expect(engine.verifyBackup(backupId)).rejects.toThrow('a file is missing');
    expect((await failureOf(engine)).message).toContain('a file is missing');
    expect(stage.leftovers()).toEqual([]);
  });
});

describe('keys', () => {
  it('that are others open nothing, and the one that is needed is named', async () => {
    const engine = stage.engineOf(stage.storeOf(undefined, [new BackupKey(randomBytes(32))]));
    const error = await failureOf(engine);
    expect(error).toBeInstanceOf(BackupDamagedError);
    expect(error.message).toContain(`sealed with the key ${stage.key.id}, which is not among those given`);
  });

  it('that are missing open nothing either', async () => {
    const engine = stage.engineOf(stage.storeOf(undefined, []));
    expect((await failureOf(engine)).message).toContain(`the key ${stage.key.id}, which is not among those given`);
    expect(stage.leftovers()).toEqual([]);
  });

  it('that are old open what they have sealed, when a new one seals', async () => {
    const { root: copy } = stage.copyOfRepository();
    const keys = [new BackupKey(randomBytes(32)), stage.key];
    const engine = stage.engineOf(stage.storeOf(new LocalRepository(copy), keys));
    const fresh = await engine.createBackup({ checkpoint: 'fast' });
    await engine.verifyBackup(fresh.id);
    await engine.verifyBackup(backupId);
    expect(await stage.numbersAt(at(after), engine)).toEqual([1, 2]);
  });
});
