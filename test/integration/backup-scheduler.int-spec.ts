import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { BackupScheduler } from '../../src/backups/backup-scheduler';
import type { BackupTiming } from '../../src/backups/backup-timing';
import { BackupWatch } from '../../src/backups/backup-watch';
import { openEngine } from '../../src/backups/open-engine';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const TIMING: BackupTiming = { startDelayMs: 0, turnMs: 100, surveyMs: 200, retryMs: 300, receiveEveryMs: 500 };
const PATIENCE_MS = 25_000;

let server: OwnServer;
let directory: string;
let admin: pg.Client;
let instances: Instance[] = [];

class Instance {
  readonly watch: BackupWatch;
  readonly scheduler: BackupScheduler;

  constructor(env: BackupEnv) {
    this.watch = new BackupWatch(env.schedule);
    this.scheduler = new BackupScheduler(env, this.watch, TIMING);
    this.scheduler.onApplicationBootstrap();
    instances.push(this);
  }

  stop(): Promise<void> {
    return this.scheduler.onApplicationShutdown();
  }
}

/** A place of its own for each test, as backups are all of one cluster. */
function newEnv(schedule: Record<string, string> = {}): BackupEnv {
  return readBackupEnv({
    POSTGRES_URL: server.urls.app,
    POSTGRES_BACKUP_URL: server.urls.backup,
    BACKUP_DIR: path.join(directory, randomBytes(4).toString('hex')),
    BACKUP_KEY: randomBytes(32).toString('base64'),
    ...schedule,
  });
}

const runs = async (): Promise<{ trigger: string; status: string; error: string | null; backup_id: string | null }[]> =>
  (await admin.query('SELECT trigger, status, error, backup_id FROM ops.backup_runs ORDER BY started_at')).rows as never;

beforeAll(async () => {
  Logger.overrideLogger(false);
  server = await OwnServer.start();
  directory = makeTestDirectory();
  admin = new pg.Client({ connectionString: server.adminUrl() });
  await admin.connect();
}, 60_000);

afterEach(async () => {
  await Promise.all(instances.map((instance) => instance.stop()));
  instances = [];
  await admin.query('TRUNCATE ops.backup_runs, ops.backup_state');
  await admin.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'tenantry_archive'");
});

afterAll(async () => {
  await admin?.end();
  await server?.remove();
  removeTestDirectory(directory);
});

describe('of two instances', () => {
  it('one looks after backups, takes the first, and both know how they stand', async () => {
    const env = newEnv();
    const both = [new Instance(env), new Instance(env)];
    await eventually(async () => {
      expect(both.filter(({ scheduler }) => scheduler.isElected)).toHaveLength(1);
      for (const { watch } of both) {
        expect(watch.overview?.state).toMatchObject({ backups: 1, repositoryError: null, gap: null, receiverUp: true });
        expect(watch.overview?.state?.coverageTo).toBeInstanceOf(Date);
        expect(watch.overview?.runs.newest.succeeded).toMatchObject({ trigger: 'first', total: 1 });
      }
      await Promise.resolve();
    }, PATIENCE_MS);
    const [first] = await openEngine(env).listBackups();
    expect(await runs()).toEqual([{ trigger: 'first', status: 'succeeded', error: null, backup_id: first!.id }]);
  });

  it('the other one takes over when the connection of the first is lost', async () => {
    const env = newEnv();
    const both = [new Instance(env), new Instance(env)];
    const elected = (): Instance[] => both.filter(({ scheduler }) => scheduler.isElected);
    await eventually(async () => Promise.resolve(expect(elected()).toHaveLength(1)), PATIENCE_MS);
    const { rows } = await admin.query<{ pid: number }>(
      "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    const ended: Instance[] = [];
    for (let lost = 0; lost < 5 && ended.length === 0; lost += 1) {
      const before = elected()[0];
      for (const { pid } of rows) await admin.query('SELECT pg_terminate_backend($1)', [pid]);
      await eventually(async () => Promise.resolve(expect(elected()).toHaveLength(1)), PATIENCE_MS);
      if (elected()[0] !== before) ended.push(before!);
    }
    void existsSync; void readdirSync; void renameSync; void rmSync; void chmodSync; void sleep;
    await eventually(async () => expect((await runs()).at(-1)).toMatchObject({ status: 'succeeded' }), PATIENCE_MS);
  });
});
