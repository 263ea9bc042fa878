import {
  chownSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { DrillReport } from '../../src/backups/drills/drill-report';
import type { BackupSummary } from '../../src/backups/engine';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { outcomeOf, startCommand } from '../support/command-line';
import { eventually } from '../support/eventually';
import { copyPreparedCluster } from '../support/prepared-cluster';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

interface Listing {
  backups: BackupSummary[];
  windows: { backup: string; timeline: number; from: string; to: string; gap: string | null }[];
}

let project: ProjectCopy;
let dataDir: string;
let database: EmbeddedDatabase;
let owner: pg.Client;
beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
  await copyPreparedCluster(dataDir);
  database = await startEmbeddedDatabase(dataDir);
  owner = new pg.Client({ connectionString: database.urls.owner });
  await owner.connect();
}, 120_000);
afterAll(async () => {
  await owner?.end();
  await database?.stop();
  project?.remove();
  removeTestDirectory(dataDir);
});

/** A command of `tenantry`, beside that data directory and with nothing else set. */
const start = (...args: string[]) => startCommand(project, { DATA_DIR: dataDir }, args);
const run = (...args: string[]) => outcomeOf(start(...args));
const list = async (): Promise<Listing> => JSON.parse((await run('backup', 'list', '--json')).output) as Listing;
const fileOf = ({ id }: BackupSummary): string => path.join(dataDir, 'backups/backups', id, 'base.tar.gz.sealed');
/** A millisecond from now: a Date has no microseconds, and cut off it would lie before the last commit. */
const serverTime = async (): Promise<Date> =>
  (await owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now")).rows[0]!.now;

describe('tenantry', () => {
  it('teaches with --help, and says what it does not understand', async () => {
    const help = await run('--help');
    expect(help).toMatchObject({ code: 0 });
    expect(help.output).toContain('backup');
    expect(help.output).toContain('restore');
    expect(await run('restore')).toMatchObject({ code: 2 });
    expect((await run('restore', '--to', '/tmp/x', '--at', '10:15')).output).toContain('a time with its offset');
  });

  it('has nothing to restore from before the first backup', async () => {
    expect((await run('backup', 'list')).output).toContain('There is no backup');
    const refused = await run('restore', '--latest', '--to', path.join(dataDir, 'nothing'), '--yes');
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.output).toContain('There is no base backup with its log');
  });

  it('backs up, receives the log and restores to a moment between two commits', async () => {
    const receiver = start('wal', 'receive', '--every', '1');
    try {
      await eventually(async () => {
        expect(receiver.output).toContain('is stored in');
        await Promise.resolve();
      });
      await owner.query('CREATE TABLE public.notes (text text)');
      const created = await run('backup', 'create', '--json');
      const backup = JSON.parse(created.output) as BackupSummary;
      await owner.query("INSERT INTO public.notes VALUES ('before')");
      const between = await serverTime();
      await sleep(20);
      await owner.query("INSERT INTO public.notes VALUES ('after')");
      const after = await serverTime();
      const window = await eventually(async () => {
        const found = (await list()).windows.find((one) => one.backup === backup.id);
        expect(new Date(found?.to ?? 0).getTime()).toBeGreaterThan(after.getTime());
        return found!;
      }, 30_000);
      expect(window).toMatchObject({ timeline: 1, gap: null });

      const home = makeTestDirectory();
      const target = path.join(home, 'postgres', 'data');
      const restored = await run('restore', '--at', between.toISOString(), '--to', target, '--yes');
      expect(restored).toMatchObject({ code: 0, output: expect.stringContaining('is a data directory') as string });
      expect(await notesIn(home)).toEqual(['before']);
      removeTestDirectory(home);
      expect((await owner.query('SELECT text FROM public.notes')).rows).toHaveLength(2); // the running one is as it was
      expect(existsSync(`${target}.wal`)).toBe(false);

      const early = await run('restore', '--at', '2020-01-01T00:00:00Z', '--to', path.join(dataDir, 'early'), '--yes');
      expect(early).toMatchObject({ code: 2 });
      expect(early.output).toContain(`${window.from} …`);
    } finally {
      receiver.kill('SIGTERM');
      expect(await receiver.ended).toMatchObject({ code: 0 });
    }
  }, 120_000);

  it('proves the newest backup by restoring it, after a drill that was killed, too, and notes it', async () => {
    const leftovers = (): string[] => readdirSync(dataDir).filter((name) => name.startsWith('drill'));
    const killed = start('drill');
    await eventually(async () => {
      expect(leftovers()).not.toEqual([]);
      await Promise.resolve();
    }, 60_000);
    killed.kill('SIGKILL');
    await killed.ended;
    const drilled = await run('drill', '--json');
    const report = JSON.parse(drilled.output) as DrillReport;
    expect([drilled.code, report.status, report.report]).toMatchObject([
      0,
      'succeeded',
      { error: null, findings: [], mismatches: [] },
    ]);
    expect(report.comparedEntries).toBeGreaterThan(0);
    expect(leftovers()).toEqual([]);
    const { rows } = await owner.query<{ id: string; rto: number }>(
      'SELECT id, rto_seconds AS rto FROM ops.restore_drills',
    );
    expect(rows).toEqual([{ id: report.id, rto: report.rtoSeconds }]);
    const noted = readdirSync(path.join(dataDir, 'backups/drills'));
    expect(noted).toEqual([`${report.id}.${report.backupId}.succeeded.json.gz.sealed`]);
  }, 300_000);

  it('verifies, and names a backup in which one bit is wrong', async () => {
    const [backup] = (await list()).backups;
    expect(await run('backup', 'verify')).toMatchObject({ code: 0, output: `${backup!.id} is whole.\n` });
    const file = fileOf(backup!);
    const sound = readFileSync(file);
    const damaged = Buffer.from(sound);
    damaged[Math.floor(sound.length / 3)]! ^= 1;
    writeFileSync(file, damaged);
    const verdict = await run('backup', 'verify', backup!.id);
    expect(verdict).toMatchObject({ code: 1 });
    expect(verdict.output).toContain(`The backup ${backup!.id} is damaged`);
    const target = path.join(dataDir, 'from-damaged');
    expect(await run('restore', '--latest', '--to', target, '--yes')).toMatchObject({ code: 1 });
    expect(existsSync(target)).toBe(false);
    writeFileSync(file, sound);
  });

  it('prunes what nothing needs, and never the last backup', async () => {
    await run('backup', 'create');
    const [first, second] = (await list()).backups;
    const proved = await run('backup', 'prune', '--days', '0', '--keep', '1', '--dry-run');
    expect(proved.output).toContain('Would remove 0 backups'); // a drill has passed the first one, and no newer one
    rmSync(path.join(dataDir, 'backups/drills'), { recursive: true });
    const would = await run('backup', 'prune', '--days', '0', '--keep', '1', '--dry-run');
    expect(would.output).toContain(`Would remove the backup ${first!.id}`);
    expect((await list()).backups).toHaveLength(2);
    expect(await run('backup', 'prune', '--days', '1', '--keep', '1')).toMatchObject({
      code: 0,
      output: expect.stringContaining('Removed 0 backups') as string, // both are of the last day
    });
    expect((await run('backup', 'prune', '--days', '0', '--keep', '1')).output).toContain('Removed 1 backups');
    expect((await list()).backups).toMatchObject([{ id: second!.id }]);
    expect(existsSync(fileOf(first!))).toBe(false);
    expect((await run('backup', 'prune', '--days', '0', '--keep', '1')).output).toContain('Removed 0 backups');
    expect(await run('backup', 'verify')).toMatchObject({ code: 0 });
    expect(await run('backup', 'prune', '--keep', '0')).toMatchObject({ code: 2 });
  });

  it('keeps its key and its files to itself', () => {
    expect(statSync(path.join(dataDir, 'backup.key')).mode & 0o077).toBe(0);
    for (const entry of readdirSync(path.join(dataDir, 'backups'), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) expect(statSync(path.join(entry.parentPath, entry.name)).mode & 0o077).toBe(0);
  });
});

/** Starts a server on a restored data directory, as an operator does (docs/backups.md), and looks. */
async function notesIn(home: string): Promise<string[]> {
  const original = realpathSync(path.join(dataDir, 'postgres'));
  const password = path.join(home, 'postgres', 'superuser-password');
  copyFileSync(path.join(original, 'superuser-password'), password);
  const { uid, gid } = statSync(original);
  for (const file of [path.dirname(password), password]) chownSync(file, uid, gid);
  const server = await startEmbeddedPostgres({ dataDir: home });
  const client = new pg.Client({ connectionString: server.adminUrl('tenantry') });
  try {
    await client.connect();
    return (await client.query<{ text: string }>('SELECT text FROM public.notes')).rows.map(({ text }) => text);
  } finally {
    await client.end();
    await server.stop();
  }
}
