import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  BackupDamagedError,
  type BackupSummary,
  type MaterializeOptions,
  type Moment,
  OutsideCoverageError,
  type RecoveredCluster,
} from '../../src/backups/engine';
import { createRestorePoint } from '../../src/backups/restore-points';
import type { EngineStage } from '../support/engine-stage';
import { startNativeStage } from '../support/native-stage';
import { describeWithPgBackRest, PgBackRestStage } from '../support/pgbackrest-stage';
import { at, LATEST, numbersOf } from '../support/recovery-stage';

/** Restores flush a thousand files each, and the disk may be busy. */
jest.setTimeout(300_000);

/** What every engine that has backups of its own keeps to, whatever is below. */
function contract(start: () => Promise<EngineStage>): void {
  let stage: EngineStage;
  let first: BackupSummary;
  const progress: [done: number, total: number][] = [];
  /** After the numbers 0, 1 and 2. */
  const written: Date[] = [];
  beforeAll(async () => {
    stage = await start();
    first = await stage.engine.createBackup({
      checkpoint: 'fast',
      onProgress: (done, total) => progress.push([done, total]),
    });
    await until(first.finishedAt);
    for (const number of [0, 1]) written.push(await stage.write(number));
    await createRestorePoint(stage.notes, stage.backupUrl, 'between');
    written.push(await stage.write(2));
    await stage.stored(written[2]!);
  });
  afterAll(() => stage?.end());

  async function materialized(moment: Moment, options: Partial<MaterializeOptions> = {}): Promise<RecoveredCluster> {
    const plan = await stage.engine.planRestore({ moment });
    return stage.engine.materialize(plan, { directory: stage.newTarget(), ...options });
  }
  const spanOf = async (backupId: string) => (await stage.engine.coverage()).find((span) => span.backupId === backupId);

  it('lists what it has taken, and says how far it is', async () => {
    expect(await stage.engine.listBackups()).toEqual([first]);
    expect(first).toMatchObject({ timeline: 1, serverMajor: expect.any(Number) as number });
    expect(first.finishedAt.getTime()).toBeGreaterThan(first.startedAt.getTime());
    expect(first.clusterBytes).toBeGreaterThan(first.storedBytes);
    const [done, total] = progress.at(-1)!;
    expect(done / total).toBeCloseTo(1, 1);
    expect(total).toBeGreaterThan(first.clusterBytes / 2);
  });

  it('covers what lies between the backup and the last stored commit', async () => {
    const span = await spanOf(first.id);
    expect(span).toMatchObject({ timeline: 1, gap: undefined });
    expect(span!.from.getTime()).toBeGreaterThanOrEqual(first.startedAt.getTime());
    expect(span!.to.getTime()).toBeGreaterThan(written[2]!.getTime());
  });

  it('verifies a sound backup', async () => {
    await expect(stage.engine.verifyBackup(first.id)).resolves.toBeUndefined();
  });

  it.each<[string, () => Moment, number[]]>([
    ['between two commits', () => at(written[0]!), [0]],
    ['at a restore point', () => ({ kind: 'point', name: 'between' }), [0, 1]],
  ])('stops %s', async (_, moment, numbers) => {
    const cluster = await materialized(moment(), { isScratch: true });
    expect(await asked(cluster, numbersOf)).toEqual(numbers);
    await cluster.discard();
    expect(stage.leftovers()).toEqual([]);
  });

  it('goes as far as the log does, lets somebody look on the way, and leaves a directory that archives nothing', async () => {
    let seen: number[] | undefined;
    const look = async (cluster: Pick<RecoveredCluster, 'adminUrl'>): Promise<void> => {
      seen = await asked(cluster, numbersOf);
    };
    const cluster = await materialized(LATEST, { inspection: { point: 'between', look } });
    expect(seen).toEqual([0, 1]);
    expect(await asked(cluster, numbersOf)).toEqual(expect.arrayContaining([0, 1, 2]));
    const { rows } = await asked(cluster, (client) => client.query<{ archive_mode: string }>('SHOW archive_mode'));
    expect(rows).toEqual([{ archive_mode: 'off' }]);
    await cluster.finish();
    const files = readdirSync(cluster.directory!);
    expect(files).toEqual(expect.arrayContaining(['PG_VERSION', 'global', 'pg_wal']));
    expect(files).not.toContain('recovery.signal');
    expect(files).not.toContain('postmaster.pid');
    expect(stage.leftovers()).toEqual([path.basename(cluster.directory!)]);
    await cluster.discard();
    expect(stage.leftovers()).toEqual([]);
  });

  it.each([
    ['before the backup', () => new Date(first.startedAt.getTime() - 1_000)],
    ['after the last stored commit', () => new Date(Date.now() + 60_000)],
  ])('refuses a moment %s, and lists what there is', async (_, moment) => {
    const planned = stage.engine.planRestore({ moment: at(moment()) });
    await expect(planned).rejects.toThrow(OutsideCoverageError);
    await expect(planned).rejects.toThrow(first.id);
  });

  it('refuses a directory that exists, and leaves it alone', async () => {
    const directory = stage.newTarget();
    mkdirSync(directory, { recursive: true });
    await expect(materialized(LATEST, { directory })).rejects.toThrow('exists');
    expect(existsSync(directory)).toBe(true);
    expect(stage.leftovers()).toEqual([path.basename(directory)]);
    await rmdir(directory);
  });

  it('leaves nothing where it is told to end', async () => {
    const stop = new AbortController();
    const ended = materialized(LATEST, { signal: stop.signal, onProgress: () => stop.abort(new Error('told to end')) });
    await expect(ended).rejects.toThrow();
    expect(stage.leftovers()).toEqual([]);
  });

  it('names a damaged backup, restores nothing from it, and leaves nothing', async () => {
    const repair = stage.damage(first.id);
    try {
      await expect(stage.engine.verifyBackup(first.id)).rejects.toThrow(BackupDamagedError);
      await expect(materialized(LATEST)).rejects.toThrow(BackupDamagedError);
      expect(stage.leftovers()).toEqual([]);
    } finally {
      repair();
    }
    await expect(stage.engine.verifyBackup(first.id)).resolves.toBeUndefined();
  });

  it('sees a gap in the log, covers nothing beyond it, and restores no shorter history in silence', async () => {
    for (const number of [3, 4]) await stage.stored(await stage.write(number));
    const { to: end } = (await spanOf(first.id))!;
    const putBack = stage.loseSegment();
    try {
      const span = (await spanOf(first.id))!;
      expect(span.gap).toMatch(/^[0-9A-F]{24}$/);
      expect(span.to.getTime()).toBeLessThan(end.getTime());
      expect(span.to.getTime()).toBeGreaterThan(span.from.getTime());
      await expect(stage.engine.planRestore({ moment: at(end) })).rejects.toThrow(OutsideCoverageError);
    } finally {
      putBack();
    }
    expect(await spanOf(first.id)).toMatchObject({ gap: undefined });
  });

  it('forgets what nothing needs, and neither what is protected nor the last', async () => {
    const second = await stage.engine.createBackup({ checkpoint: 'fast' });
    await until(second.finishedAt);
    const rules = { keep: 1, days: 0 };
    const would = await stage.engine.prune(rules, { dryRun: true });
    expect(would.backups).toEqual([first.id]);
    expect(would.files).toBeGreaterThan(0);
    const isProtected = ({ id }: BackupSummary): boolean => id === first.id;
    expect(await stage.engine.prune(rules, { dryRun: false, isProtected })).toMatchObject({ backups: [] });
    expect(await stage.engine.prune({ keep: 1, days: 1 }, { dryRun: false })).toMatchObject({ backups: [] });
    expect(await stage.engine.listBackups()).toEqual([first, second]);
    expect(await stage.engine.prune(rules, { dryRun: false })).toMatchObject({ backups: [first.id] });
    expect(await stage.engine.prune(rules, { dryRun: false })).toMatchObject({ backups: [] });
    expect(await stage.engine.listBackups()).toEqual([second]);
    await stage.stored(await stage.write(5));
    const cluster = await materialized(LATEST, { isScratch: true });
    expect(await asked(cluster, numbersOf)).toEqual(expect.arrayContaining([0, 1, 2, 3, 4, 5]));
    await cluster.discard();
  });
}

describe('the native engine', () => contract(startNativeStage));

describeWithPgBackRest('the engine pgbackrest', () => contract(() => PgBackRestStage.start()));

/** Some engines tell times in whole seconds. */
const until = (time: Date): Promise<void> => sleep(Math.max(0, time.getTime() - Date.now() + 1));

async function asked<Result>(
  { adminUrl }: Pick<RecoveredCluster, 'adminUrl'>,
  ask: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: adminUrl('own') });
  await client.connect();
  try {
    return await ask(client);
  } finally {
    await client.end();
  }
}
