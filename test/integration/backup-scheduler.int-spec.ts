import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { BackupCatalogue, INTERRUPTED, type Run } from '../../src/backups/backup-catalogue';
import { openBackupSession } from '../../src/backups/backup-login';
import { BackupScheduler } from '../../src/backups/backup-scheduler';
import type { BackupTiming } from '../../src/backups/backup-timing';
import { problemsOf } from '../../src/backups/backup-verdict';
import { BackupWatch } from '../../src/backups/backup-watch';
import { BackupStore } from '../../src/backups/native/backup-store';
import { openEngine } from '../../src/backups/open-engine';
import { nameOfSegment, numberAt } from '../../src/backups/wal-segments';
import { Clock } from '../../src/common/clock';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { parseLsn } from '../../src/database/wal-stream';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const TIMING: BackupTiming = { startDelayMs: 0, turnMs: 100, surveyMs: 200, retryMs: 300, receiveEveryMs: 500 };
const PATIENCE_MS = 90_000;
const DAY_MS = 86_400_000;
/** Of a backup whose checkpoint is spread: at 100 ms each (PostgreSQL's CheckpointWriteDelay), minutes. */
const DIRTY_PAGES = 3_000;

let server: OwnServer;
let directory: string;
let admin: pg.Client;
let instances: Instance[] = [];

/** What of an instance of Tenantry looks after backups. */
class Instance {
  readonly watch: BackupWatch;
  readonly scheduler: BackupScheduler;

  constructor(
    readonly env: BackupEnv,
    clock = new Clock(),
  ) {
    this.watch = new BackupWatch(env.schedule);
    this.scheduler = new BackupScheduler(env, this.watch, clock, TIMING);
    this.scheduler.onApplicationBootstrap();
    instances.push(this);
  }

  problems(): string[] {
    return this.watch.overview ? problemsOf(this.watch.overview, this.env.schedule, new Date()) : ['nothing is known'];
  }

  isWell(): Promise<void> {
    return until(() => expect(this.problems()).toEqual([]));
  }

  stop(): Promise<void> {
    return this.scheduler.onApplicationShutdown();
  }
}

/** Some days from now. */
class LaterClock extends Clock {
  override now(): Date {
    return new Date(Date.now() + 3 * DAY_MS);
  }
}

/** With a place of its own. No drill: those have their own tests. */
function newEnv(settings: Record<string, string> = {}): BackupEnv {
  return readBackupEnv({
    POSTGRES_URL: server.urls.app,
    POSTGRES_BACKUP_URL: server.urls.backup,
    BACKUP_DIR: path.join(directory, randomBytes(4).toString('hex')),
    BACKUP_KEY: randomBytes(32).toString('base64'),
    DRILL_SCHEDULE: 'off',
    ...settings,
  });
}

type RunRow = Pick<Run, 'trigger' | 'error'> & { status: string };
const runs = async (): Promise<RunRow[]> =>
  (await admin.query<RunRow>('SELECT trigger, status, error FROM ops.backup_runs ORDER BY started_at')).rows;
const succeeded = (trigger: string): RunRow => ({ trigger, status: 'succeeded', error: null }) as RunRow;
/** Repeats them until they hold. */
const until = (assertions: () => unknown): Promise<void> =>
  eventually(async () => {
    await assertions();
  }, PATIENCE_MS);
const filesIn = (env: BackupEnv): string[] =>
  readdirSync(env.backupDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(env.backupDir, path.join(entry.parentPath, entry.name)));

/** The names of the stored segments, in order. */
const segmentsIn = (env: BackupEnv): string[] =>
  [...new Set(filesIn(env).flatMap((name) => /^wal\/\w+\/(\w+)/.exec(name)?.[1] ?? []))].toSorted();
function lose(env: BackupEnv, segment: string): void {
  for (const name of filesIn(env)) if (name.includes(segment)) rmSync(path.join(env.backupDir, name));
}

beforeAll(async () => {
  Logger.overrideLogger(false);
  server = await OwnServer.start();
  directory = makeTestDirectory();
  admin = new pg.Client({ connectionString: server.adminUrl() });
  await admin.connect();
}, 120_000);

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.stop()));
  instances = [];
  await admin.query('TRUNCATE ops.backup_runs, ops.backup_state');
  await until(() =>
    admin.query(
      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'tenantry_archive'",
    ),
  );
}, 120_000);

afterAll(async () => {
  await admin?.end();
  await server?.remove();
  removeTestDirectory(directory);
}, 120_000);

describe('of two instances', () => {
  it('one looks after backups, takes the first, and both know how they stand', async () => {
    const env = newEnv();
    const both = [new Instance(env), new Instance(env)];
    for (const instance of both) await instance.isWell();
    expect(both.filter(({ scheduler }) => scheduler.isElected)).toHaveLength(1);
    expect(await runs()).toEqual([succeeded('first')]);
    const [backup] = await openEngine(env).listBackups();
    for (const { watch } of both) {
      const { state, runs: known } = watch.overview!;
      expect(state).toMatchObject({ backups: 1, newestBackupId: backup!.id, receiverUp: true, gap: null });
      expect(known.newest.succeeded).toMatchObject({
        backupId: backup!.id,
        storedBytes: backup!.storedBytes,
        total: 1,
      });
    }
  }, 120_000);

  it('the other takes over when the connection of the elected one is lost', async () => {
    const env = newEnv();
    const first = new Instance(env);
    await until(() => expect(first.scheduler.isElected).toBe(true));
    const { rows } = await admin.query<{ pid: number }>(
      "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND usename = 'tenantry_backup'",
    );
    // It has the first turn after the loss.
    const second = new Instance(env);
    jest
      .spyOn(first.scheduler as never, 'turn' as never)
      .mockImplementation((() => new Promise(() => undefined)) as never);
    for (const { pid } of rows) await admin.query('SELECT pg_terminate_backend($1)', [pid]);
    await until(() => expect(second.scheduler.isElected).toBe(true));
    await second.isWell();
    instances = [second];
  }, 120_000);
});

describe('a backup', () => {
  it('that was due while nothing ran is caught up with, and what is then no longer needed goes', async () => {
    const env = newEnv({ BACKUP_KEEP: '1', BACKUP_KEEP_DAYS: '0' });
    const early = new Instance(env);
    await early.isWell();
    const [first] = await openEngine(env).listBackups();
    await early.stop();
    await admin.query('CHECKPOINT'); // so that the next one, spread, has little to write
    const late = new Instance(env, new LaterClock());
    await until(async () => {
      expect((await runs())[1]).toEqual(succeeded('catch-up'));
      expect((await openEngine(env).listBackups()).map(({ id }) => id)).not.toContain(first!.id);
    });
    await late.stop();
    expect(filesIn(env).filter((name) => name.startsWith(`backups/${first!.id}`))).toEqual([]);
  }, 180_000);

  it('under way is abandoned when the instance stops, and leaves nothing', async () => {
    const env = newEnv();
    const early = new Instance(env);
    await early.isWell();
    await early.stop();
    await admin.query(
      `CREATE TABLE public.dirty AS SELECT repeat('x', 7000) AS text FROM generate_series(1, ${DIRTY_PAGES})`,
    );
    await admin.query(
      'ALTER TABLE public.dirty ALTER COLUMN text SET STORAGE PLAIN; UPDATE public.dirty SET text = text',
    );
    const late = new Instance(env, new LaterClock());
    await until(async () => expect((await runs()).at(-1)).toMatchObject({ trigger: 'catch-up', status: 'running' }));
    await late.stop();
    expect((await runs()).at(-1)).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^stopped/) as string,
    });
    expect(await openEngine(env).listBackups()).toHaveLength(1);
    expect(filesIn(env).filter((name) => name.startsWith('.partial'))).toEqual([]);
    expect(new Set(filesIn(env).flatMap((name) => /^backups\/([^/]+)/.exec(name)?.[1] ?? [])).size).toBe(1);
    await admin.query('DROP TABLE public.dirty');
  }, 180_000);

  it('whose process was killed is closed as failed by the next instance, which takes one; one by hand that lives is not', async () => {
    const env = newEnv();
    const run = {
      startedAt: new Date(),
      engine: 'native',
      place: 'somewhere',
      instance: 'killed',
      trigger: 'manual',
    } as const;
    const killed = await openBackupSession(env);
    await new BackupCatalogue(killed).begin(run);
    const living = await openBackupSession(env);
    const id = await new BackupCatalogue(living).begin({ ...run, instance: 'living' });
    await killed.end();
    const instance = new Instance(env);
    await until(async () => expect(await runs()).toContainEqual(expect.objectContaining({ error: INTERRUPTED })));
    expect((await runs()).map(({ status }) => status).toSorted()).toEqual(['failed', 'running']);
    await new BackupCatalogue(living).fail(id, 'enough', new Date());
    await living.end();
    await instance.isWell();
    expect((await runs()).at(-1)).toEqual(succeeded('first'));
  }, 120_000);
});

describe('log that is missing', () => {
  it('because the server has thrown it away is told, and a backup is taken that closes the gap', async () => {
    const env = newEnv();
    const early = new Instance(env);
    await early.isWell();
    await early.stop();
    await until(() => admin.query("SELECT pg_drop_replication_slot('tenantry_archive')"));
    for (let segment = 0; segment < 4; segment += 1)
      await admin.query("SELECT pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()");
    await admin.query('CHECKPOINT');
    const late = new Instance(env);
    await until(async () => expect(await runs()).toEqual([succeeded('first'), succeeded('gap')]));
    await late.isWell();
  }, 180_000);

  it('is told at once, and a backup is taken that closes the gap', async () => {
    const env = newEnv();
    const instance = new Instance(env);
    await instance.isWell();
    const known = segmentsIn(env).length;
    await until(() => expect(segmentsIn(env).length).toBeGreaterThan(known + 4));
    lose(env, segmentsIn(env).at(-2)!);
    await until(async () => expect(await runs()).toEqual([succeeded('first'), succeeded('gap')]));
    await instance.isWell();
    expect(instance.watch.overview!.state!.gap).toBeNull();
    expect(await openEngine(env).listBackups()).toHaveLength(2);
  }, 180_000);

  it('of the newest backup itself is told, too, and one backup is taken instead', async () => {
    const env = newEnv();
    const instance = new Instance(env);
    await instance.isWell();
    const known = segmentsIn(env).length;
    const store = BackupStore.open(env);
    const { timeline, lsn } = (await store.listBackups())[0]!.start;
    const { segmentBytes } = store.archive;
    lose(env, nameOfSegment({ timeline, number: numberAt(parseLsn(lsn), segmentBytes) }, segmentBytes));
    await until(async () => expect(await runs()).toEqual([succeeded('first'), succeeded('gap')]));
    await until(() => expect(segmentsIn(env).length).toBeGreaterThan(known + 4));
    await instance.isWell();
    expect(await runs()).toEqual([succeeded('first'), succeeded('gap')]);
  }, 180_000);
});

describe('a place that cannot be reached', () => {
  it('is a problem that is told, of backups alone; when it is back, all goes on', async () => {
    const env = newEnv();
    const instance = new Instance(env);
    await instance.isWell();
    const aside = `${env.backupDir}.aside`;
    renameSync(env.backupDir, aside);
    writeFileSync(env.backupDir, 'this is no directory');
    await until(() => {
      expect(instance.problems()).toContain('Backups cannot be read.');
      expect(instance.watch.overview!.state!.newestBackupAt).not.toBeNull(); // as it was before
    });
    expect(instance.scheduler.isElected).toBe(true);
    rmSync(env.backupDir);
    renameSync(aside, env.backupDir);
    await instance.isWell();
  }, 180_000);
});
