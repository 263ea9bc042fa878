import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Moment } from '../../src/backups/engine';
import { ReceiptStore } from '../../src/backups/erasures/receipt-store';
import { BackupStore } from '../../src/backups/native/backup-store';
import { receiveContinuously } from '../../src/backups/native/continuous-receiver';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { openNotes } from '../../src/backups/repository/open-notes';
import { recoverCluster } from '../../src/backups/recovery-procedure';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { eventually } from '../support/eventually';
import { OwnServer } from '../support/own-server';
import { ReplicatedPair } from '../support/replicated-pair';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** Milliseconds: what is lost at worst. */
const EVERY_MS = 400;
const PATIENCE_MS = 30_000;

let directory: string;
let env: BackupEnv;
beforeEach(() => {
  directory = makeTestDirectory();
  env = readBackupEnv({ DATA_DIR: directory });
});
afterEach(() => removeTestDirectory(directory));

/** Receives the log meanwhile, as the application does. */
async function whileReceiving<Result>(
  store: BackupStore,
  url: string,
  work: (gaps: string[]) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController();
  const gaps: string[] = [];
  const options = { store, url: () => url, everyMs: EVERY_MS, onGap: (reason: string) => void gaps.push(reason) };
  const received = receiveContinuously({ ...options, onFailure: () => undefined }, stop.signal);
  try {
    return await work(gaps);
  } finally {
    stop.abort();
    await received;
  }
}

/** Until a commit after that time is stored. */
async function untilStored(engine: NativeEngine, after: Date, timeline: number): Promise<void> {
  await eventually(async () => {
    const plan = await engine.planRestore({ moment: { kind: 'latest' } });
    expect(plan.timeline).toBe(timeline);
    expect(plan.until.getTime()).toBeGreaterThan(after.getTime());
  }, PATIENCE_MS);
}

describe('undoing a restore', () => {
  let server: OwnServer;
  let engine: NativeEngine;
  let store: BackupStore;
  const times: Record<string, Date> = {};
  beforeEach(async () => {
    server = await OwnServer.start();
    store = BackupStore.open(env);
    engine = new NativeEngine(store, { url: () => server.urls.backup, binDir: process.env.TEST_POSTGRES_BIN });
  }, 60_000);
  afterEach(() => server?.remove());

  async function asOwner<Result>(work: (owner: pg.Client) => Promise<Result>): Promise<Result> {
    const owner = new pg.Client({ connectionString: server.urls.owner });
    try {
      await owner.connect();
      return await work(owner);
    } finally {
      await owner.end();
    }
  }
  const rows = (): Promise<string[]> =>
    asOwner(async (owner) => {
      const { rows: found } = await owner.query<{ text: string }>('SELECT text FROM public.notes ORDER BY text');
      return found.map(({ text }) => text);
    });
  /** Notes when, a millisecond later: a Date has no microseconds. */
  const write = (text: string): Promise<void> =>
    asOwner(async (owner) => {
      await owner.query('INSERT INTO public.notes VALUES ($1)', [text]);
      const { rows: found } = await owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
      times[text] = found[0]!.now;
      await sleep(20);
    });
  /** In place, as an operator does it. */
  async function restore(moment: Moment): Promise<void> {
    await server.stop();
    await recoverCluster({
      engine,
      plan: await engine.planRestore({ moment }),
      place: { kind: 'in-place', pgData: server.pgData },
      passwords: {},
      notes: openNotes(env),
      receipts: ReceiptStore.open(env),
      onEvent: () => undefined,
    });
    await server.startAgain();
  }

  it('gives the rows of the timeline that the moment lies on, each time', async () => {
    const { backup } = server.urls;
    await whileReceiving(store, backup, async () => {
      await asOwner((owner) => owner.query('CREATE TABLE public.notes (text text)'));
      await engine.createBackup({ checkpoint: 'fast' });
      await write('first');
      await write('lost by the restore');
      await untilStored(engine, times['lost by the restore']!, 1);
    });

    await restore({ kind: 'time', at: times['first']! });
    expect(await rows()).toEqual(['first']);
    await whileReceiving(store, backup, async (gaps) => {
      await write('after the restore');
      await untilStored(engine, times['after the restore']!, 2);
      expect(gaps).toEqual([]); // the base backup of the first timeline leads to here, too
    });

    // Undone: what the restore had lost is there again, and what came after it is not.
    await restore({ kind: 'time', at: times['lost by the restore']! });
    expect(await rows()).toEqual(['first', 'lost by the restore']);
    await whileReceiving(store, backup, async () => {
      await write('after the undo');
      await untilStored(engine, times['after the undo']!, 3);
    });

    // And the undo undone.
    await restore({ kind: 'time', at: times['after the restore']! });
    expect(await rows()).toEqual(['after the restore', 'first']);
    await restore({ kind: 'latest' });
    expect(await rows()).toEqual(['after the undo', 'first', 'lost by the restore']);
  }, 240_000);
});

describe('the promotion of a standby', () => {
  let pair: ReplicatedPair;
  beforeEach(async () => (pair = await ReplicatedPair.start()), 60_000);
  afterEach(() => pair?.stop());

  it('leaves no gap: the receiver goes over to it, and one backup leads to either side of it', async () => {
    const url = pair.urlOfBoth('backup');
    const store = BackupStore.open(env);
    const engine = new NativeEngine(store, { url: () => url, binDir: undefined });
    const now = async (member = pair.primary): Promise<Date> =>
      (await pair.query<{ now: Date }>(member, "SELECT clock_timestamp() + interval '1 ms' AS now"))[0]!.now;
    const gaps = await whileReceiving(store, url, async (found) => {
      await pair.query(pair.primary, 'CREATE TABLE public.notes (text text)');
      await engine.createBackup({ checkpoint: 'fast' });
      await pair.query(pair.primary, "INSERT INTO public.notes VALUES ('stored before')");
      await untilStored(engine, await now(), 1);
      return found;
    });
    // The log of these lies with the standby alone, when nobody receives: full segments, and a part of one.
    for (let segment = 0; segment < 2; segment += 1) {
      await pair.query(pair.primary, "INSERT INTO public.notes VALUES ('not stored before')");
      await pair.query(pair.primary, 'SELECT pg_switch_wal()');
    }
    await pair.query(pair.primary, "INSERT INTO public.notes VALUES ('in the last segment')");
    await pair.primary.kill();
    await pair.standby.promote();
    await whileReceiving(store, url, async (found) => {
      await pair.query(pair.standby, "INSERT INTO public.notes VALUES ('after')");
      await untilStored(engine, await now(pair.standby), 2);
      gaps.push(...found);
    });
    expect(gaps).toEqual([]);
    expect(await engine.coverage()).toContainEqual(expect.objectContaining({ timeline: 2, gap: undefined }));

    const target = path.join(directory, 'restored');
    const plan = await engine.planRestore({ moment: { kind: 'latest' } });
    const recovered = await engine.materialize(plan, { directory: target });
    const client = new pg.Client({ connectionString: recovered.adminUrl('tenantry') });
    try {
      await client.connect();
      const { rows } = await client.query<{ text: string }>('SELECT DISTINCT text FROM public.notes ORDER BY text');
      expect(rows.map(({ text }) => text)).toEqual([
        'after',
        'in the last segment',
        'not stored before',
        'stored before',
      ]);
    } finally {
      await client.end();
      await recovered.finish();
      rmSync(target, { recursive: true });
    }
  }, 180_000);

  it('is told of as a gap when the new primary lacks log that was not stored', async () => {
    const url = pair.urlOfBoth('backup');
    const store = BackupStore.open(env);
    const engine = new NativeEngine(store, { url: () => url, binDir: undefined });
    await whileReceiving(store, url, async () => {
      await engine.createBackup({ checkpoint: 'fast' });
      const [row] = await pair.query<{ now: Date }>(pair.primary, 'SELECT clock_timestamp() AS now');
      await untilStored(engine, row!.now, 1);
    });
    for (let segment = 0; segment < 3; segment += 1) {
      await pair.query(pair.primary, 'CREATE TABLE IF NOT EXISTS public.filler (text text)');
      await pair.query(
        pair.primary,
        "INSERT INTO public.filler SELECT repeat('x', 1000) FROM generate_series(1, 20000)",
      );
      await pair.query(pair.primary, 'CHECKPOINT');
    }
    await pair.primary.kill();
    await pair.standby.promote();
    for (let time = 0; time < 2; time += 1) {
      await pair.query(pair.standby, 'CHECKPOINT'); // it forgets what nobody has asked it to keep
      await pair.query(pair.standby, 'SELECT pg_switch_wal()');
    }
    await whileReceiving(store, url, async (gaps) => {
      await eventually(async () => expect(await Promise.resolve(gaps)).not.toEqual([]), PATIENCE_MS);
      // The new base backup that a gap asks for makes the time from now on restorable.
      await engine.createBackup({ checkpoint: 'fast' });
      const [row] = await pair.query<{ now: Date }>(pair.standby, 'SELECT clock_timestamp() AS now');
      await untilStored(engine, row!.now, 2);
    });
  }, 180_000);
});
