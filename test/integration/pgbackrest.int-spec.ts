import { renameSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { BackupDamagedError, type Moment, OutsideCoverageError, type RecoveredCluster } from '../../src/backups/engine';
import { readStanza } from '../../src/backups/pgbackrest/pgbackrest-info';
import { PgBackRest } from '../../src/backups/pgbackrest/pgbackrest-program';
import { RecoveryFailedError } from '../../src/database/recovery-server';
import { describeEngineWithBackups } from '../support/engine-contract';
import { describeWithPgBackRest, PgBackRestStage } from '../support/pgbackrest-stage';
import { at, LATEST, numbersOf } from '../support/recovery-stage';

jest.setTimeout(300_000);

describeWithPgBackRest('the engine pgbackrest', () => describeEngineWithBackups(() => PgBackRestStage.start()));

/** What is true of it alone. */
describeWithPgBackRest('pgBackRest', () => {
  let stage: PgBackRestStage;
  beforeAll(async () => {
    stage = await PgBackRestStage.start();
  });
  afterAll(() => stage?.end());

  const materialized = async (engine = stage.engine): Promise<RecoveredCluster> =>
    engine.materialize(await engine.planRestore({ moment: LATEST }), { directory: stage.newTarget(), isScratch: true });

  it('has nothing before the first backup', async () => {
    expect(await stage.engine.listBackups()).toEqual([]);
    expect(await stage.engine.coverage()).toEqual([]);
    await expect(stage.engine.planRestore({ moment: LATEST })).rejects.toThrow(OutsideCoverageError);
    await expect(stage.engine.verifyBackup('none')).rejects.toThrow('There is no backup none.');
    expect(await stage.engine.prune({ keep: 1, days: 0 }, { dryRun: false })).toEqual({ backups: [], files: 0 });
  });

  it('takes a full backup first and differential ones in between, and keeps what a kept one builds upon', async () => {
    const engine = stage.engineOf(7);
    const full = await engine.createBackup({ checkpoint: 'fast' });
    expect(full.id).toMatch(/F$/);
    await stage.write(0);
    const older = await engine.createBackup({ checkpoint: 'fast' });
    const newer = await engine.createBackup({ checkpoint: 'fast' });
    for (const { id, storedBytes } of [older, newer]) {
      expect(id).toMatch(new RegExp(`^${full.id}_.+D$`));
      expect(storedBytes).toBeLessThan(full.storedBytes / 2);
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, newer.finishedAt.getTime() - Date.now() + 1)));
    expect(await engine.prune({ keep: 1, days: 0 }, { dryRun: false })).toMatchObject({ backups: [older.id] });
    expect((await engine.listBackups()).map(({ id }) => id)).toEqual([full.id, newer.id]);
    await expect(engine.verifyBackup(newer.id)).resolves.toBeUndefined();
  });

  it('says that it is sound, by its exit code, when it is not: a flipped bit, a lost segment', async () => {
    const [full] = await stage.engine.listBackups();
    const repair = stage.damage(full!.id);
    await expect(stage.program.run('verify')).resolves.toBe('');
    await expect(stage.engine.verifyBackup(full!.id)).rejects.toThrow(/invalid checksum '.+pg_data/);
    repair();

    const { backups } = await readStanza(stage.program);
    const own = stage.segments().find((file) => path.basename(file).startsWith(backups[0]!.archive.start));
    const aside = path.join(stage.directory, 'aside');
    renameSync(own!, aside);
    await expect(stage.program.run('verify', ['--output=text', '--verbose'])).resolves.toContain('status: ok');
    await expect(stage.engine.verifyBackup(full!.id)).rejects.toThrow(BackupDamagedError);
    renameSync(aside, own!);
    await expect(stage.engine.verifyBackup(full!.id)).resolves.toBeUndefined();
  });

  it('opens on no shorter history when the log cannot be fetched any more in the middle', async () => {
    await stage.stored(await stage.write(1));
    const last = path.basename(stage.segments().at(-1)!).slice(0, 24);
    /** As where the repository went away. */
    class LosesTouch extends PgBackRest {
      override archiveGetCommand(pgData: string): string {
        return `test %f != ${last} && ${super.archiveGetCommand(pgData)}`;
      }
    }
    const program = new LosesTouch({ stanza: 'stage', config: stage.config, account: stage.program.account });
    const restored = materialized(stage.engineOf(7, program));
    await expect(restored).rejects.toThrow(RecoveryFailedError);
    await expect(restored).rejects.toThrow(`${last} was not reached`);
    expect(stage.leftovers()).toEqual([]);
  });

  it('ends its program when it is told to', async () => {
    const stop = new AbortController();
    const taken = stage.engineOf(0).createBackup({
      checkpoint: 'fast',
      onProgress: () => stop.abort(new Error('told to end')),
      signal: stop.signal,
    });
    await expect(taken).rejects.toThrow('told to end');
    const known = await stage.engine.listBackups();
    expect(known).toHaveLength(2);
    const next = await stage.engine.createBackup({ checkpoint: 'fast' });
    expect(await stage.engine.listBackups()).toEqual([...known, next]);
  });

  it('leads along both timelines after a restore, and undoes it', async () => {
    const lost = await stage.write(10);
    await stage.stored(lost);
    const before = new Date(lost.getTime() - 30); // between that commit and the one before
    const plan = await stage.engine.planRestore({ moment: at(before) });
    const restored = await stage.engine.materialize(plan, { directory: stage.newTarget() });
    await restored.finish();
    await stage.replaceServer(restored.directory!);
    await stage.stored(await stage.write(11));

    const spans = await stage.engine.coverage();
    expect(new Set(spans.map(({ timeline }) => timeline))).toEqual(new Set([1, 2]));
    expect(await stage.engine.planRestore({ moment: LATEST })).toMatchObject({ timeline: 2 });
    const numbersAt = async (moment: Moment): Promise<number[]> => {
      const cluster = await stage.engine.materialize(await stage.engine.planRestore({ moment }), {
        directory: stage.newTarget(),
        isScratch: true,
      });
      const client = new pg.Client({ connectionString: cluster.adminUrl('tenantry') });
      await client.connect();
      const numbers = await numbersOf(client);
      await client.end();
      await cluster.discard();
      return numbers.filter((number) => number >= 10);
    };
    expect(await numbersAt(LATEST)).toEqual([11]);
    expect(await numbersAt(at(lost))).toEqual([10]);
  });

  it('says what is wrong in its own words', async () => {
    const program = new PgBackRest({ stanza: 'stage', config: '/nowhere.conf', account: stage.program.account });
    await expect(program.run('info')).rejects.toThrow(
      "pgBackRest (info): unable to open missing file '/nowhere.conf' for read",
    );
  });
});
