import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import { BackupScheduler } from '../../src/backups/backup-scheduler';
import type { BackupTiming } from '../../src/backups/backup-timing';
import { BackupWatch } from '../../src/backups/backup-watch';
import { runDrill } from '../../src/backups/drills/drill';
import { noteDrill, provedBackups } from '../../src/backups/drills/drill-notes';
import type { DrillPhase, DrillReport } from '../../src/backups/drills/drill-report';
import type { BackupEngine, BackupSummary } from '../../src/backups/engine';
import { BackupStore } from '../../src/backups/native/backup-store';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { WalReceiver } from '../../src/backups/native/wal-receiver';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { takeVerificationPoint, type VerificationPoint } from '../../src/backups/verification-point';
import { Clock } from '../../src/common/clock';
import { newId } from '../../src/common/id';
import { readBackupEnv } from '../../src/config/backup-env';
import { WalSource } from '../../src/database/wal-source';
import { type Query, readCatalogue } from '../support/catalogue';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { Rows } from '../support/rows';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const VARIABLE = 'POSTGRES_BACKUP_URL';
const KEY = randomBytes(32);
const TIMING: BackupTiming = { startDelayMs: 0, turnMs: 100, surveyMs: 200, retryMs: 300, receiveEveryMs: 500 };
const tenantIds = [newId(), newId()];

/** By it the night has passed. */
class TomorrowsClock extends Clock {
  override now(): Date {
    return new Date(Date.now() + 24 * 3_600_000);
  }
}

let server: OwnServer;
let directory: string;
let scratch: string;
let source: WalSource;
let receiver: WalReceiver;
let received: Promise<void>;
let store: BackupStore;
let engine: NativeEngine;
let backup: BackupSummary;
let point: VerificationPoint;

beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  scratch = path.join(directory, 'scratch');
  store = new BackupStore(new LocalRepository(path.join(directory, 'repository')), [new BackupKey(KEY)]);
  engine = new NativeEngine(store, { url: () => server.urls.backup, binDir: process.env.TEST_POSTGRES_BIN });
  source = await WalSource.connect(server.urls.backup, VARIABLE);
  receiver = new WalReceiver({ source, store, slot: 'test', heartbeatMs: 200, segmentAgeMs: 1_000 });
  received = receiver.run();
  const admin = new pg.Client({ connectionString: server.adminUrl() });
  await admin.connect();
  const query: Query = async <Result extends object>(sql: string, parameters?: unknown[]) =>
    (await admin.query(sql, parameters)).rows as Result[];
  const rows = new Rows(await readCatalogue(query), query);
  for (const id of tenantIds) {
    await rows.fillTenant(id);
    // Such rows have no owner.
    await admin.query('UPDATE app.tenants SET deleted_at = now(), purge_after = now() WHERE id = $1', [id]);
  }
  await admin.end();
  backup = await engine.createBackup({ checkpoint: 'fast' });
  point = await takeVerificationPoint({ notes: store.notes, url: server.urls.backup, backupId: backup.id });
  await eventually(async () => {
    const { until } = await engine.planRestore({ moment: { kind: 'latest' } });
    expect(until.getTime()).toBeGreaterThan(point.at.getTime());
  }, 30_000);
  receiver.stop();
  await received;
}, 300_000);
afterAll(async () => {
  receiver?.stop();
  await source?.end();
  await server?.remove();
  removeTestDirectory(directory);
});

const drill = (over: Partial<Parameters<typeof runDrill>[0]> = {}): Promise<DrillReport> =>
  runDrill({ engine, notes: store.notes, scratch, ...over });

/** The engine, with somebody at work in what it has restored, before anybody looks. */
function tamperedBy(work: (client: pg.Client) => Promise<unknown>): BackupEngine {
  const tampered = new NativeEngine(store, { url: () => server.urls.backup, binDir: process.env.TEST_POSTGRES_BIN });
  const materialize = tampered.materialize.bind(tampered);
  tampered.materialize = async (plan, options) => {
    const cluster = await materialize(plan, { ...options, inspection: undefined });
    const client = new pg.Client({ connectionString: cluster.adminUrl(point.database) });
    await client.connect();
    await work(client);
    await client.end();
    await options.inspection?.look(cluster);
    return cluster;
  };
  return tampered;
}

describe('a drill', () => {
  it('proves a sound backup, says how long that took and what would be lost, and leaves nothing', async () => {
    mkdirSync(path.join(scratch, 'drill.restoring.999999999.partial', 'base'), { recursive: true }); // of one that was killed
    const phases: DrillPhase[] = [];
    const report = await drill({ onPhase: (phase) => phases.at(-1) === phase || phases.push(phase) });
    expect(report).toMatchObject({
      status: 'succeeded',
      engine: 'native',
      backupId: backup.id,
      comparedEntries: point.entries.length,
      mismatchedEntries: 0,
      corruptObjects: 0,
      report: { mismatches: [], findings: [], migrations: [], error: null },
    });
    expect(point.entries.length).toBeGreaterThan(10);
    // What was received last was a heartbeat, after the point.
    expect(report.replayedTo!.getTime()).toBeGreaterThan(point.at.getTime());
    expect(report.rpoSeconds).toBeCloseTo((report.startedAt.getTime() - report.replayedTo!.getTime()) / 1000, 3);
    const total = (report.finishedAt.getTime() - report.startedAt.getTime()) / 1000;
    expect(report.rtoSeconds).toBeGreaterThan(0);
    expect(report.rtoSeconds).toBeLessThanOrEqual(total);
    const seconds = Object.values(report.report.seconds).reduce((sum, one) => sum + one, 0);
    expect(seconds).toBeLessThanOrEqual(total + 0.1);
    expect(new Set(phases)).toEqual(
      new Set(['files', 'log', 'replay', 'compare', 'verify', 'migrate', 'verify-again']),
    );
    expect(readdirSync(scratch)).toEqual([]);
  }, 300_000);

  it('names the table and the tenant of a single row that came back otherwise', async () => {
    const report = await drill({
      engine: tamperedBy((client) =>
        client.query(`UPDATE app.roles SET name = name || '!' WHERE tenant_id = $1`, [tenantIds[1]]),
      ),
    });
    expect(report).toMatchObject({ status: 'failed', mismatchedEntries: 1, comparedEntries: point.entries.length });
    const [table, tenantId, rows, checksum] = point.entries.find(
      ([name, id]) => name === 'app.roles' && id === tenantIds[1],
    )!;
    expect(report.report.mismatches).toEqual([
      {
        table,
        tenantId,
        expected: { rows, checksum },
        found: { rows, checksum: expect.not.stringMatching(new RegExp(`^${checksum}$`)) as string },
      },
    ]);
    expect(readdirSync(scratch)).toEqual([]);
  }, 300_000);

  it('applies the migrations that a backup lacks, and verifies again', async () => {
    const report = await drill({
      engine: tamperedBy(async (client) => {
        await client.query('DROP TABLE ops.restore_drills');
        await client.query(`DROP FUNCTION ops.lock_compared_tables(), ops.table_checksums(), ops.compared_tables()`);
        await client.query(`DELETE FROM public._prisma_migrations WHERE migration_name LIKE '%create_restore_drills'`);
      }),
      notes: emptyNotes(),
    });
    expect(report).toMatchObject({
      status: 'succeeded',
      comparedEntries: null,
      report: { migrations: [expect.stringContaining('create_restore_drills')], findings: [] },
    });
  }, 300_000);

  it('is held by the elected instance when it is due, and known to all', async () => {
    const env = readBackupEnv({
      POSTGRES_URL: server.urls.app,
      POSTGRES_BACKUP_URL: server.urls.backup,
      BACKUP_DIR: path.join(directory, 'repository'),
      BACKUP_KEY: KEY.toString('base64'),
      BACKUP_SCHEDULE: 'off',
      BACKUP_RECEIVE: 'off',
      DRILL_DIR: scratch,
      POSTGRES_BIN_DIR: process.env.TEST_POSTGRES_BIN ?? '',
    });
    const watch = new BackupWatch(env.schedule);
    const scheduler = new BackupScheduler(env, watch, new TomorrowsClock(), TIMING);
    scheduler.onApplicationBootstrap();
    try {
      await eventually(async () => {
        expect(watch.overview?.drills.newest).toMatchObject({ status: 'succeeded', backupId: backup.id });
        await Promise.resolve();
      }, 240_000);
      const { newest, lastSuccessAt } = watch.overview!.drills;
      expect(lastSuccessAt).toEqual(newest!.startedAt);
      expect(readdirSync(path.join(directory, 'repository', 'drills'))).toEqual([
        `${newest!.id}.${backup.id}.succeeded.json.gz.sealed`,
      ]);
    } finally {
      await scheduler.onApplicationShutdown();
    }
  }, 300_000);

  it('fails, and says why, where the backup is damaged; that backup is not the one that is kept', async () => {
    const better = backup.id;
    await noteDrill(store.notes, { ...(await failedReport()), status: 'succeeded', backupId: better });
    expect((await provedBackups(engine, store.notes))({ id: better })).toBe(true);
    const file = path.join(directory, 'repository', 'backups', backup.id, 'base.tar.gz.sealed');
    const sound = readFileSync(file);
    const flipped = Buffer.from(sound);
    flipped[Math.floor(sound.length / 2)]! ^= 1;
    writeFileSync(file, flipped);
    try {
      const report = await drill();
      expect(report).toMatchObject({
        status: 'failed',
        corruptObjects: 1,
        rtoSeconds: null,
        report: { error: expect.stringContaining('is damaged') as string },
      });
      expect(existsSync(scratch) ? readdirSync(scratch) : []).toEqual([]);
      await noteDrill(store.notes, report);
      expect((await provedBackups(engine, store.notes))({ id: better })).toBe(false);
    } finally {
      writeFileSync(file, sound);
    }
  }, 300_000);
});

/** Of a repository without points. */
const emptyNotes = () =>
  new BackupStore(new LocalRepository(path.join(directory, `empty-${randomBytes(3).toString('hex')}`)), []).notes;

const failedReport = (): Promise<DrillReport> => drill({ backupId: 'none' });
