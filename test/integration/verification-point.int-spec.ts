import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { BackupStore } from '../../src/backups/native/backup-store';
import { WalReceiver } from '../../src/backups/native/wal-receiver';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { BackupKey } from '../../src/backups/repository/sealed-stream';
import { SealedNotes } from '../../src/backups/repository/sealed-notes';
import {
  compareWithPoint,
  type Comparison,
  readVerificationPoint,
  takeVerificationPoint,
  type VerificationPoint,
} from '../../src/backups/verification-point';
import { newId } from '../../src/common/id';
import { WalSource } from '../../src/database/wal-source';
import { type Query, readCatalogue } from '../support/catalogue';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { Rows } from '../support/rows';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const VARIABLE = 'POSTGRES_BACKUP_URL';
const WRITERS = 4;
const tenantIds = [newId(), newId()];

let server: OwnServer;
let directory: string;
let source: WalSource;
let receiver: WalReceiver;
let received: Promise<void>;
let admin: pg.Pool;
let notes: SealedNotes;
let engine: NativeEngine;

beforeAll(async () => {
  // More than what a server of its own would choose: a clone must ask for as much, or nobody may look while it recovers.
  server = await OwnServer.start({ max_connections: '60' });
  directory = makeTestDirectory();
  const keys = [new BackupKey(randomBytes(32))];
  const repository = new LocalRepository(path.join(directory, 'repository'));
  const store = new BackupStore(repository, keys);
  notes = new SealedNotes(repository, keys);
  engine = new NativeEngine(store, { url: () => server.urls.backup, binDir: process.env.TEST_POSTGRES_BIN });
  source = await WalSource.connect(server.urls.backup, VARIABLE);
  receiver = new WalReceiver({ source, store, slot: 'test', heartbeatMs: 50, segmentAgeMs: 200 });
  received = receiver.run();
  admin = new pg.Pool({ connectionString: server.adminUrl(), max: WRITERS + 2 });
  const query: Query = async <Result extends object>(sql: string, parameters?: unknown[]) =>
    (await admin.query(sql, parameters)).rows as Result[];
  const rows = new Rows(await readCatalogue(query), query);
  for (const id of tenantIds) await rows.fillTenant(id);
}, 120_000);
afterAll(async () => {
  receiver?.stop();
  await received?.catch(() => undefined);
  await admin?.end();
  await source?.end();
  await server?.remove();
  removeTestDirectory(directory);
});

/** Writes to two tables all the time, in transactions as short as requests'. */
function startWriters(): { stop(): Promise<number> } {
  let isStopped = false;
  const loops = Array.from({ length: WRITERS }, async (_, place) => {
    let written = 0;
    for (; !isStopped; written += 1) {
      await admin.query(
        `WITH one AS (UPDATE app.tenants SET updated_at = clock_timestamp() WHERE id = $1)
         INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type)
         VALUES ($1, gen_random_uuid(), clock_timestamp(), 'written', 'success', 'system')`,
        [tenantIds[place % 2]],
      );
    }
    return written;
  });
  return {
    stop: async () => {
      isStopped = true;
      return (await Promise.all(loops)).reduce((sum, written) => sum + written, 0);
    },
  };
}

/** Restores to the end of what is stored, and looks when it passes the point. */
async function compared(point: VerificationPoint): Promise<Comparison> {
  await eventually(async () => {
    const { until } = await engine.planRestore({ moment: { kind: 'latest' }, backupId: point.backupId });
    expect(until.getTime()).toBeGreaterThan(point.at.getTime());
  }, 30_000);
  const plan = await engine.planRestore({ moment: { kind: 'latest' }, backupId: point.backupId });
  let comparison: Comparison | undefined;
  const cluster = await engine.materialize(plan, {
    directory: path.join(directory, `restored-${randomBytes(3).toString('hex')}`),
    inspection: {
      point: point.name,
      look: async (paused) => {
        comparison = await compareWithPoint(paused, point);
      },
    },
  });
  try {
    // It went on after the look: what was written later is there, too.
    const now = new pg.Client({ connectionString: cluster.adminUrl(point.database) });
    await now.connect();
    const { rows } = await now.query<{ events: number }>(`SELECT count(*)::int AS events FROM audit.events`);
    await now.end();
    const [, , atPoint] = point.entries.find(([table, id]) => table === 'audit.events' && id === tenantIds[0])!;
    expect(rows[0]!.events).toBeGreaterThan(atPoint);
  } finally {
    await cluster.discard();
  }
  return comparison!;
}

describe('a verification point', () => {
  it('is what stands in the database at its place in the log, however much is written meanwhile', async () => {
    const writers = startWriters();
    const { id: backupId } = await engine.createBackup({ checkpoint: 'fast' });
    const point = await takeVerificationPoint({ notes, url: server.urls.backup, backupId });
    await sleep(100);
    expect(await writers.stop()).toBeGreaterThan(10);
    process.stderr.write(`locked for ${point.lockedMs.toFixed(1)} ms\n`);
    expect(await readVerificationPoint(notes, backupId)).toEqual(point);
    const comparison = await compared(point);
    expect(comparison).toEqual({ entries: point.entries.length, mismatches: [] });
    expect(comparison.entries).toBeGreaterThan(10);
  }, 120_000);
});
