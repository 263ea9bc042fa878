import { readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { BackupStage } from './engine-stage';
import { flipBit } from './flip-bit';
import { RecoveryStage } from './recovery-stage';

/** The native engine, beside a server of the version that the tests run on. */
export async function startNativeStage(): Promise<BackupStage> {
  const stage = await RecoveryStage.start();
  const store = stage.storeOf();
  // A restore replays every segment.
  await stage.receive(store, { heartbeatMs: 200, segmentAgeMs: 2_000 });
  const engine = stage.engineOf(store);
  const backups = path.join(stage.repositoryRoot, 'backups');
  const log = path.join(stage.repositoryRoot, 'wal', '00000001');
  return {
    engine,
    restoresItself: true,
    notes: store.notes,
    backupUrl: stage.server.urls.backup,
    write: (number) => stage.write(number),
    stored: (at) => stage.stored(at, engine, 120_000),
    offer: () => Promise.resolve(),
    damage: (id) => flipBit(path.join(backups, id, 'base.tar.gz.sealed')),
    loseSegment: () => {
      const nameOf = (file: string): string => file.split('.')[0]!;
      const names = [...new Set(readdirSync(log).map(nameOf))].toSorted();
      const files = readdirSync(log).filter((file) => nameOf(file) === names.at(-2)); // twice where its last commit was learnt later
      for (const file of files) renameSync(path.join(log, file), path.join(stage.directory, file));
      return () => {
        for (const file of files) renameSync(path.join(stage.directory, file), path.join(log, file));
      };
    },
    newTarget: () => stage.newTarget(),
    leftovers: () => stage.leftovers(),
    end: () => stage.end(),
  };
}
