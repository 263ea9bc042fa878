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
  type RestorePlan,
} from '../../src/backups/engine';
import { createRestorePoint } from '../../src/backups/restore-points';
import type { BackupStage, EngineStage } from './engine-stage';
import { at, LATEST, numbersOf } from './recovery-stage';

/**
 * Defines the tests of what every engine keeps to, whoever takes the backups.
 * @returns moments after the numbers 0, 1 and 2, when the tests run; restore points of these names lie between them
 */
export function describeEngine(start: () => Promise<EngineStage>): Date[] {
  let stage: EngineStage;
  const written: Date[] = [];
  beforeAll(async () => {
    stage = await start();
    written.push(await stage.write(0));
    await createRestorePoint(stage.notes, stage.backupUrl, 'after-0');
    written.push(await stage.write(1));
    await createRestorePoint(stage.notes, stage.backupUrl, 'after-1');
    written.push(await stage.write(2));
    await stage.stored(written[2]!);
  });
  afterAll(() => stage?.end());

  /** It shows what was planned, and is on the timeline that this leads to. */
  async function expectAsPlanned(plan: RestorePlan, cluster: RecoveredCluster): Promise<void> {
    const { restoresItself } = stage;
    expect(cluster.directory !== undefined).toBe(restoresItself);
    expect(plan.backup !== undefined).toBe(restoresItself);
    const { rows } = await asked(cluster, (client) =>
      client.query(
        `SELECT current_setting('server_version_num')::int / 10000 AS major, pg_is_in_recovery() AS recovers,
           ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline`,
      ),
    );
    // A restore begins a timeline of its own. One that somebody else has made has already begun it.
    const timeline = plan.timeline + (restoresItself ? 1 : 0);
    expect(rows).toEqual([{ major: plan.serverMajor, recovers: false, timeline }]);
    const promised = [0, 1, 2].filter((number) => written[number]! <= plan.until);
    expect(promised).toContain(0);
    expect(await asked(cluster, numbersOf)).toEqual(expect.arrayContaining(promised));
  }

  it('brings back the rows of a time between two commits, as planned, and removes what is its own', async () => {
    const moment = at(written[0]!);
    await stage.offer(moment);
    const plan = await stage.engine.planRestore({ moment });
    expect(plan).toMatchObject({ target: { moment }, until: moment.at });
    const cluster = await stage.engine.materialize(plan, { directory: stage.newTarget(), isScratch: true });
    expect(await asked(cluster, numbersOf)).toEqual([0]);
    await expectAsPlanned(plan, cluster);
    await cluster.discard();
    expect(stage.leftovers()).toEqual([]);
    expect(await answers(cluster)).toBe(!stage.restoresItself);
  });

  describe('as far as the log goes', () => {
    beforeAll(() => stage.offer(LATEST));

    it('brings back all rows, as planned, and ends what is its own', async () => {
      const plan = await stage.engine.planRestore({ moment: LATEST });
      const cluster = await stage.engine.materialize(plan, { directory: stage.newTarget() });
      expect(await asked(cluster, numbersOf)).toEqual(expect.arrayContaining([0, 1, 2]));
      await expectAsPlanned(plan, cluster);
      await cluster.finish();
      expect(await answers(cluster)).toBe(!stage.restoresItself);
      expect(stage.leftovers()).toEqual(cluster.directory === undefined ? [] : [path.basename(cluster.directory)]);
      await cluster.discard();
      expect(stage.leftovers()).toEqual([]);
      expect(await answers(cluster)).toBe(!stage.restoresItself);
    });

    it.each([
      ['of long before', () => new Date(written[0]!.getTime() - 3_600_000)],
      ['that is still to come', () => new Date(Date.now() + 300_000)],
    ])('refuses a moment %s, and names it', async (_, momentOf) => {
      const moment = momentOf();
      await expect(stage.engine.planRestore({ moment: at(moment) })).rejects.toThrow(moment.toISOString());
    });

    it('refuses a restore point that nobody has made', async () => {
      const planned = stage.engine.planRestore({ moment: { kind: 'point', name: 'nowhere' } });
      await expect(planned).rejects.toThrow(/restore point/);
    });
  });

  return written;
}

/** And of what one that has backups of its own keeps to besides. */
export function describeEngineWithBackups(start: () => Promise<BackupStage>): void {
  let stage: BackupStage;
  let first: BackupSummary;
  const progress: [done: number, total: number][] = [];
  const written = describeEngine(async () => {
    stage = await start();
    first = await stage.engine.createBackup({
      checkpoint: 'fast',
      onProgress: (done, total) => progress.push([done, total]),
    });
    await until(first.finishedAt);
    return stage;
  });

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

  it('stops at a restore point, lets somebody look on the way, and leaves a directory that archives nothing', async () => {
    let seen: number[] | undefined;
    const look = async (cluster: Pick<RecoveredCluster, 'adminUrl'>): Promise<void> => {
      seen = await asked(cluster, numbersOf);
    };
    const cluster = await materialized({ kind: 'point', name: 'after-1' }, { inspection: { point: 'after-0', look } });
    expect(seen).toEqual([0]);
    expect(await asked(cluster, numbersOf)).toEqual([0, 1]);
    const { rows } = await asked(cluster, (client) => client.query<{ archive_mode: string }>('SHOW archive_mode'));
    expect(rows).toEqual([{ archive_mode: 'off' }]);
    await cluster.finish();
    const files = readdirSync(cluster.directory!);
    expect(files).toEqual(expect.arrayContaining(['PG_VERSION', 'global', 'pg_wal']));
    expect(files).not.toContain('recovery.signal');
    expect(files).not.toContain('postmaster.pid');
    await cluster.discard();
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

/** Some engines tell times in whole seconds. */
const until = (time: Date): Promise<void> => sleep(Math.max(0, time.getTime() - Date.now() + 1));

async function asked<Result>(
  { adminUrl }: Pick<RecoveredCluster, 'adminUrl'>,
  ask: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client({ connectionString: adminUrl('tenantry') });
  await client.connect();
  try {
    return await ask(client);
  } finally {
    await client.end();
  }
}

const answers = (cluster: RecoveredCluster): Promise<boolean> =>
  asked(cluster, numbersOf).then(
    () => true,
    () => false,
  );
