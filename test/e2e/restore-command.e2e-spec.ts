import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { BackupSummary } from '../../src/backups/engine';
import { locateClusterHome } from '../../src/database/cluster-home';
import { type EmbeddedDatabase, startEmbeddedDatabase } from '../../src/database/embedded-database';
import { buildProject, copyProject, type ProjectCopy } from '../support/built-project';
import { outcomeOf, startCommand } from '../support/command-line';
import { eventually } from '../support/eventually';
import { copyPreparedCluster } from '../support/prepared-cluster';
import { ServerProcess } from '../support/server-process';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

/** A line of `restore --json`. */
interface Line {
  event: 'plan' | 'step' | 'progress' | 'result';
  step?: string;
  state?: string;
  part?: string;
  total?: number;
  status?: string;
  directory?: string;
  kept?: string;
  comparedEntries?: number;
  message?: string;
  findings?: { check: string; problem: string }[];
}

let project: ProjectCopy;
let dataDir: string;
let pgData: string;
let backup: BackupSummary;
let between: Date;

/** A command of `tenantry`, beside that data directory and with nothing else set. */
const start = (...args: string[]) => startCommand(project, { DATA_DIR: dataDir }, args);
const run = (...args: string[]) => outcomeOf(start(...args));
async function runJson(...args: string[]): Promise<{ code: number | null; lines: Line[] }> {
  const { code, output } = await run(...args, '--json');
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  return { code, lines: lines.map((line) => JSON.parse(line) as Line) };
}

/** Has the embedded database run meanwhile. */
async function whileRunning<Result>(
  work: (owner: pg.Client, database: EmbeddedDatabase) => Promise<Result>,
): Promise<Result> {
  const database = await startEmbeddedDatabase(dataDir);
  const owner = new pg.Client({ connectionString: database.urls.owner });
  try {
    await owner.connect();
    return await work(owner, database);
  } finally {
    await owner.end();
    await database.stop();
  }
}
const notes = (): Promise<string[]> =>
  whileRunning(async (owner) => {
    const { rows } = await owner.query<{ text: string }>('SELECT text FROM public.notes ORDER BY text');
    return rows.map(({ text }) => text);
  });
const beside = (): string[] => readdirSync(path.dirname(pgData)).filter((name) => name.startsWith('data.'));

beforeAll(async () => {
  project = copyProject();
  buildProject(project);
  dataDir = makeTestDirectory();
  await copyPreparedCluster(dataDir);
  await whileRunning(async (owner) => {
    const home = await locateClusterHome(dataDir);
    pgData = path.join(home.path, 'data');
    const receiver = start('wal', 'receive', '--every', '1');
    await receiver.says(/is stored in/);
    await owner.query('CREATE TABLE public.notes (text text)');
    backup = JSON.parse((await run('backup', 'create', '--json')).output) as BackupSummary;
    await owner.query("INSERT INTO public.notes VALUES ('before')");
    // A millisecond later: a Date has no microseconds, and cut off it would lie before the last commit.
    const { rows } = await owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
    between = rows[0]!.now;
    expect(await run('restore-point', 'create', 'between')).toMatchObject({ code: 0 });
    await sleep(20);
    await owner.query("INSERT INTO public.notes VALUES ('later')");
    const { rows: last } = await owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
    await eventually(async () => {
      const { windows } = JSON.parse((await run('backup', 'list', '--json')).output) as { windows: { to: string }[] };
      expect(new Date(windows.at(-1)?.to ?? 0).getTime()).toBeGreaterThan(last[0]!.now.getTime());
    }, 30_000);
    receiver.kill('SIGTERM');
    await receiver.ended;
  });
}, 180_000);
afterAll(() => {
  project?.remove();
  removeTestDirectory(dataDir);
});

describe('tenantry restore', () => {
  it.each([
    [['--to', '/tmp/x'], 'Say what to restore'],
    [['--latest'], 'Say where to'],
    [['--latest', '--at', '2026-11-23T10:15:00Z', '--to', '/tmp/x'], 'exclude each other'],
    [['--latest', '--to', '/tmp/x', '--in-place'], 'Say where to'],
    [['--backup', 'none', '--to', '/tmp/x'], 'There is no backup none'],
    [['--latest', '--in-place', '--data-directory', '/nowhere'], 'There is no data directory /nowhere'],
    [['--latest', '--to', '/tmp/x'], 'Nobody is there to ask: say --yes'],
  ])('is misused with %j', async (args, said) => {
    const { code, output } = await run('restore', ...args);
    expect(output).toContain(said);
    expect(code).toBe(2);
  });

  it('refuses to swap while the database runs, and says what to do', async () => {
    const { code, output } = await whileRunning(() => run('restore', '--latest', '--in-place', '--yes'));
    expect(output).toContain('Stop it first');
    expect(code).toBe(3);
  });

  it('says with --dry-run what it would do, and does nothing', async () => {
    const { code, lines } = await runJson('restore', '--at', between.toISOString(), '--in-place', '--dry-run');
    expect(code).toBe(0);
    expect(lines).toEqual([
      expect.objectContaining({ event: 'plan', backup: backup.id, inPlace: true, directory: pgData }),
      { event: 'result', status: 'planned' },
    ]);
    expect(beside()).toEqual([]);
  });

  it('restores in place, step by step, and keeps what was there', async () => {
    const { code, lines } = await runJson('restore', '--at', between.toISOString(), '--in-place', '--yes');
    expect(lines.at(-1)).toMatchObject({ event: 'result', status: 'restored', directory: pgData });
    expect(code).toBe(0);
    expect(lines.filter(({ state }) => state === 'done').map(({ step }) => step)).toEqual(
      ['restore', 'verify', 'logins', 'migrate', 'verify-again', 'erase-again', 'finish'], // in this order
    );
    for (const part of ['files', 'log'])
      expect(lines.find((line) => line.part === part)?.total).toBeGreaterThan(1024 * 1024); // bytes
    const { kept } = lines.at(-1)!;
    expect(beside()).toEqual([path.basename(kept!)]);
    expect(await notes()).toEqual(['before']);
    // The way back: what was kept is a data directory as it was.
    renameSync(pgData, `${pgData}.aside`);
    renameSync(kept!, pgData);
    expect(await notes()).toEqual(['before', 'later']);
    renameSync(pgData, kept!);
    renameSync(`${pgData}.aside`, pgData);
  }, 120_000);

  it('is opened for traffic by `npm start`, though passwords have changed since the backup', async () => {
    await whileRunning((owner) => owner.query("ALTER ROLE tenantry_owner PASSWORD 'of another time'"));
    const server = new ServerProcess(project.directory, { DATA_DIR: dataDir, BACKUP_SCHEDULE: 'off' });
    const url = await server.ready();
    expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    server.kill('SIGTERM');
    expect(await server.ended).toMatchObject({ code: 0 });
  }, 120_000);

  it('applies the migrations that came after the moment', async () => {
    const name = project.addMigration('CREATE TABLE app.later_things (id uuid PRIMARY KEY);');
    const target = path.join(makeTestDirectory(), 'restored');
    try {
      const { code, output } = await run('restore', '--backup', backup.id, '--latest', '--to', target, '--yes');
      // It is a table without row-level security: the migration was applied, and the second look has seen what it did.
      expect(output).toContain(
        'NOT RIGHT (protection, tenantry): app.later_things is not under forced row-level security',
      );
      expect(output).toContain('The step "verify-again" has failed');
      expect(code).toBe(1);
      expect(existsSync(target)).toBe(false);
      const [rejected] = readdirSync(path.dirname(target));
      expect(rejected).toMatch(/^restored\.rejected-\d{8}T\d{6}Z$/);
    } finally {
      project.removeMigration(name);
      removeTestDirectory(path.dirname(target));
    }
  }, 120_000);

  it('swaps nothing when a migration fails', async () => {
    const name = project.addMigration('SELECT 1 / 0;');
    try {
      const { code, lines } = await runJson('restore', '--latest', '--in-place', '--yes');
      expect(code).toBe(1);
      expect(lines.at(-1)).toMatchObject({ status: 'failed', step: 'migrate' });
      expect(lines.at(-1)!.message).toContain('division by zero');
      expect(existsSync(lines.at(-1)!.directory!)).toBe(true);
    } finally {
      project.removeMigration(name);
    }
    expect(await notes()).toEqual(['before']);
  }, 120_000);

  it('restores to a place that was named, and holds the rows against those at the backup', async () => {
    const { code, lines } = await runJson('restore', '--restore-point', 'between', '--in-place', '--yes');
    expect(code).toBe(0);
    expect(lines.at(-1)!.comparedEntries).toBeGreaterThan(0);
    expect(await notes()).toEqual(['before']);
  }, 120_000);

  it('clears away what a run has left that was killed, and goes on as if there had been none', async () => {
    const victim = start('restore', '--latest', '--in-place', '--yes', '--json');
    await victim.says(/"step":"verify","state":"started"/); // its server runs
    victim.kill('SIGKILL');
    await victim.ended;
    expect(beside().some((name) => name.endsWith('.partial'))).toBe(true);
    expect(await run('restore', '--latest', '--in-place', '--yes')).toMatchObject({ code: 0 });
    expect(beside().some((name) => name.includes('.restoring.'))).toBe(false);
    expect(await notes()).toEqual(['before', 'later']);
  }, 120_000);

  it('leaves nothing when it is interrupted', async () => {
    const before = beside();
    const victim = start('restore', '--latest', '--in-place', '--yes', '--json');
    await victim.says(/"step":"verify","state":"started"/);
    victim.kill('SIGTERM');
    expect(await victim.ended).toMatchObject({ code: 1 });
    expect(victim.output).toContain('Interrupted');
    expect(beside()).toEqual(before);
  }, 120_000);

  it('is finished by the next start when it was killed between its two renames', async () => {
    const { uid, gid } = statSync(pgData);
    renameSync(pgData, `${pgData}.restoring.1.partial`);
    mkdirSync(`${pgData}.before-20260101T000000Z`); // what was put aside
    writeFileSync(
      `${pgData}.swap`,
      JSON.stringify({ restored: 'data.restoring.1.partial', kept: 'data.before-20260101T000000Z' }),
    );
    expect(await notes()).toEqual(['before', 'later']);
    expect(existsSync(`${pgData}.swap`)).toBe(false);
    expect(statSync(pgData)).toMatchObject({ uid, gid });
  }, 60_000);

  it('restores to a machine of which all was lost but the backups and their key', async () => {
    removeAllBut('backups', 'backup.key');
    expect(await run('restore', '--latest', '--in-place', '--yes')).toMatchObject({ code: 0 });
    expect(await notes()).toEqual(['before', 'later']);
  }, 120_000);
});

/** As a fresh disk has it. */
function removeAllBut(...kept: string[]): void {
  const aside = makeTestDirectory();
  for (const name of kept) renameSync(path.join(dataDir, name), path.join(aside, name));
  removeTestDirectory(dataDir);
  mkdirSync(dataDir, { mode: 0o711 });
  for (const name of kept) renameSync(path.join(aside, name), path.join(dataDir, name));
  removeTestDirectory(aside);
}
