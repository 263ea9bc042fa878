import { readdirSync, rmSync, statSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { type Moment, OutsideCoverageError } from '../../src/backups/engine';
import { materialize } from '../../src/backups/native/materialize';
import type { NativeEngine } from '../../src/backups/native/native-engine';
import { findPostgresBinaries } from '../../src/database/postgres-binaries';
import { copyCommand, recover, RecoveryFailedError } from '../../src/database/recovery-server';
import { serverAccount } from '../../src/database/unprivileged-account';
import { eventually } from '../support/eventually';
import { gapsIn } from '../support/log-gaps';
import { at, LATEST, numbersOf, RecoveryStage } from '../support/recovery-stage';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** Each restores some clusters. */
jest.setTimeout(120_000);

/** Where the server archives, too, as one that pgBackRest backs up does. */
let archived: string;
let stage: RecoveryStage;
let engine: NativeEngine;
const written: Record<number, Date> = {};
beforeAll(async () => {
  Logger.overrideLogger(false);
  archived = makeTestDirectory();
  await chmod(archived, 0o777);
  stage = await RecoveryStage.start({
    archive_mode: 'on',
    archive_command: `cp %p ${archived}/%f`,
  });
  engine = stage.engineOf();
  await stage.receive();
  written[1] = await stage.write(1);
  await eventually(async () => expect(await engine.store.archive.list(1)).not.toEqual([]));
  await engine.createBackup({ checkpoint: 'fast' });
  for (const number of [2, 3, 4]) {
    written[number] = await stage.write(number);
    await stage.stored(written[number], engine);
  }
  await stage.stopReceiving();
}, 180_000);
afterAll(async () => {
  await stage?.end();
  removeTestDirectory(archived);
});

/** What PostgreSQL itself does, asked without our checks: the log that is in the repository, and the moment. */
async function postgresAt(moment: Exclude<Moment, { kind: 'point' }>, { store } = engine): Promise<number[]> {
  const directory = stage.newTarget();
  const walDirectory = `${directory}.wal`;
  const account = serverAccount(directory);
  const binaries = await findPostgresBinaries(process.env.TEST_POSTGRES_BIN, account);
  const [manifest] = await store.listBackups();
  await materialize({ ...store, manifest: manifest!, directory, account });
  await mkdir(walDirectory, { mode: 0o755 });
  for (const { file, name } of await store.archive.list(1)) {
    await writeFile(path.join(walDirectory, name), await buffer(await store.archive.read(file)), { mode: 0o644 });
  }
  try {
    const restoreCommand = copyCommand(walDirectory);
    const server = await recover({ pgData: directory, restoreCommand, target: moment, timeline: 1, binaries, account });
    const client = new pg.Client({ connectionString: server.adminUrl('tenantry') });
    await client.connect();
    const numbers = await numbersOf(client);
    await client.end();
    await server.finish();
    return numbers;
  } finally {
    for (const place of [directory, walDirectory]) rmSync(place, { recursive: true, force: true });
  }
}

describe('log that is missing in the middle', () => {
  it('is not noticed by PostgreSQL, which opens on a short history; we name it before anything is restored', async () => {
    const { root, engine: holed } = stage.copyOfRepository();
    const segments = await holed.store.archive.list(1);
    // By the time that is in its name: after what the backup itself needs, and before the fourth number.
    const lost = segments.find(({ committedAt }) => committedAt && committedAt > written[3]!)!;
    rmSync(path.join(root, lost.file));
    expect(gapsIn(await holed.store.archive.list(1))).toEqual([lost.number]);

    const short = await postgresAt(LATEST, holed);
    expect(short).toContain(1);
    expect(short).not.toContain(4);

    expect(await holed.coverage()).toMatchObject([{ gap: lost.name }]);
    await expect(holed.planRestore({ moment: at(written[4]!) })).rejects.toThrow(OutsideCoverageError);
    const plan = await holed.planRestore({ moment: LATEST });
    expect(plan.gap).toBe(lost.name);
    expect(plan.until.getTime()).toBeLessThan(written[4]!.getTime());
  });

  it('is nothing that a restore to before it needs', async () => {
    const { root, engine: holed } = stage.copyOfRepository();
    const lost = (await holed.store.archive.list(1)).find(
      ({ committedAt }) => committedAt && committedAt > written[3]!,
    )!;
    rmSync(path.join(root, lost.file));
    expect(await stage.numbersAt(at(written[2]!), holed)).toEqual([1, 2]);
  });
});

describe('a moment before the first backup', () => {
  it('would come back as a later one; it is refused, with what can be restored', async () => {
    const early = new Date(written[1]!.getTime() - 1);
    const answer = await postgresAt(at(early)).catch((error: unknown) => error as Error);
    // Some versions refuse it themselves; what one that does not opens is wrong.
    if (answer instanceof Error) expect(answer).toBeInstanceOf(RecoveryFailedError);
    else expect(answer).toContain(1);

    const refused = engine.planRestore({ moment: at(early) });
    await expect(refused).rejects.toThrow(OutsideCoverageError);
    const [span] = await engine.coverage();
    await expect(refused).rejects.toThrow(`${span!.from.toISOString()} … ${span!.to.toISOString()}`);
  });
});

describe('a quiet system', () => {
  it('has no commit after the moment, which PostgreSQL cannot do; we say so beforehand', async () => {
    const later = at(new Date(Date.now() + 60_000));
    await expect(postgresAt(later)).rejects.toThrow(RecoveryFailedError);
    await expect(engine.planRestore({ moment: later })).rejects.toThrow(OutsideCoverageError);
  });

  it('is given one by the heartbeat, with nobody writing', async () => {
    const { rows } = await stage.owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
    const now = rows[0]!.now;
    await stage.receive();
    await stage.stored(now);
    await stage.stopReceiving();
    expect(await stage.numbersAt(at(now))).toEqual([1, 2, 3, 4]);
  });
});

describe('a restored cluster', () => {
  it('archives nothing into the place of its original, and is closed to other accounts', async () => {
    await stage.restored(LATEST, async (client, { directory }) => {
      const { rows } = await client.query<{ archive_mode: string }>('SHOW archive_mode');
      expect(rows).toEqual([{ archive_mode: 'off' }]);
      await client.query('CREATE TABLE public.of_the_clone ()');
      await client.query('SELECT pg_switch_wal()');
      await client.query('CHECKPOINT');
      expect(statSync(directory!).mode & 0o777).toBe(0o700);
    });
    expect(readdirSync(archived).filter((name) => !name.startsWith('00000001'))).toEqual([]);
    expect(readdirSync(archived).length).toBeGreaterThan(0); // the original does
  });
});

// Last: it loses log for good.
describe('log that the server has let go of before it was stored', () => {
  it('is told as a gap, nothing beyond it is promised, and a new backup covers what comes', async () => {
    const admin = new pg.Client({ connectionString: stage.server.adminUrl() });
    await admin.connect();
    const isLost = async (): Promise<void> => {
      await admin.query("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 1000000))");
      await admin.query('SELECT pg_switch_wal()');
      await admin.query('CHECKPOINT');
      const { rows } = await admin.query("SELECT FROM pg_replication_slots WHERE wal_status = 'lost'");
      expect(rows).toHaveLength(1);
    };
    await admin.query("ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'");
    await admin.query('SELECT pg_reload_conf()');
    await eventually(isLost, 30_000);
    await admin.query('ALTER SYSTEM RESET max_slot_wal_keep_size');
    await admin.query('SELECT pg_reload_conf()');
    await admin.end();

    const gaps: string[] = [];
    await stage.receive(undefined, { onGap: (reason) => void gaps.push(reason) });
    const beyond = await stage.write(5);
    await eventually(async () => {
      expect(gaps).not.toEqual([]);
      expect(await engine.coverage()).toMatchObject([{ gap: expect.any(String) as string }]);
    }, 30_000);
    await expect(engine.planRestore({ moment: at(beyond) })).rejects.toThrow(OutsideCoverageError);
    expect((await engine.planRestore({ moment: LATEST })).until.getTime()).toBeLessThan(beyond.getTime());

    await engine.createBackup({ checkpoint: 'fast' });
    const covered = await stage.write(6);
    await stage.stored(covered);
    await stage.stopReceiving();
    expect(await stage.numbersAt(at(covered))).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
