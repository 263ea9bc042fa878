import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import pg from 'pg';
import type { RestorePlan } from '../../src/backups/engine';
import { ReceiptStore } from '../../src/backups/erasures/receipt-store';
import { BackupStore } from '../../src/backups/native/backup-store';
import { NativeEngine } from '../../src/backups/native/native-engine';
import { recoverCluster, type RecoveryOptions, type RecoveryPlace } from '../../src/backups/recovery-procedure';
import { RecoveryStoppedError } from '../../src/backups/recovery-stopped';
import { openNotes } from '../../src/backups/repository/open-notes';
import type { SealedNotes } from '../../src/backups/repository/sealed-notes';
import { takeVerificationPoint, type VerificationPoint } from '../../src/backups/verification-point';
import { BusyError, StartupError } from '../../src/common/errors';
import { readPostgresUrl } from '../../src/common/postgres-url';
import { type BackupEnv, readBackupEnv } from '../../src/config/backup-env';
import { verifyCluster } from '../../src/database/cluster-verification';
import { flipBit } from '../support/flip-bit';
import { OwnServer } from '../support/own-server';
import { makeTestDirectory, removeTestDirectory } from '../support/test-directory';

const TENANT = '00000000-0000-7000-8000-00000000000a';

let server: OwnServer;
let directory: string;
let env: BackupEnv;
let engine: NativeEngine;
let point: VerificationPoint;
let place: RecoveryPlace;

beforeAll(async () => {
  server = await OwnServer.start();
  directory = makeTestDirectory();
  env = readBackupEnv({ DATA_DIR: directory });
  const store = BackupStore.open(env);
  const url = (): string => server.urls.backup;
  engine = new NativeEngine(store, { url, binDir: process.env.TEST_POSTGRES_BIN });
  place = { kind: 'in-place', pgData: server.pgData };
  const { id } = await engine.createBackup({ checkpoint: 'fast' });
  point = await takeVerificationPoint({ notes: openNotes(env), url: url(), backupId: id });
  await engine.storeLog(); // no receiver runs
  await server.stop();
}, 120_000);
afterAll(async () => {
  await server?.remove();
  removeTestDirectory(directory);
});

async function recover(changes: Partial<RecoveryOptions> = {}): ReturnType<typeof recoverCluster> {
  return recoverCluster({
    engine,
    notes: openNotes(env),
    plan: await engine.planRestore({ moment: { kind: 'latest' } }),
    place,
    passwords: {},
    receipts: ReceiptStore.open(env),
    onEvent: () => undefined,
    ...changes,
  });
}
const beside = (): string[] => readdirSync(path.dirname(server.pgData)).filter((name) => name.startsWith('data.'));
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('recoverCluster', () => {
  it('swaps nothing when rows are not as they were at the verification point, and names the table and the tenant', async () => {
    const another: VerificationPoint = { ...point, entries: [...point.entries, ['app.roles', TENANT, 7, '1234']] };
    const notes = { read: () => Promise.resolve(another) } as unknown as SealedNotes;
    const error = await failureOf(recover({ notes }));
    expect(error).toBeInstanceOf(RecoveryStoppedError);
    const { step, findings, directory: aside } = error as RecoveryStoppedError;
    expect(step).toBe('verify');
    expect(findings).toEqual([
      {
        check: 'rows',
        database: '',
        problem: `app.roles of the tenant ${TENANT}: 0 rows, 7 at the verification point`,
      },
    ]);
    expect(path.basename(aside!)).toMatch(/^data\.rejected-/);
    expect(beside()).toEqual([path.basename(aside!)]);
    rmSync(aside!, { recursive: true });
  }, 120_000);

  it('keeps what it has restored when a server was started meanwhile, and swaps nothing', async () => {
    let isStarted: Promise<void> | undefined;
    const onEvent: RecoveryOptions['onEvent'] = (event) => {
      if (event.event === 'step' && event.step === 'verify-again') isStarted ??= server.startAgain();
    };
    const late = { onEvent, receipts: { ids: async () => (await isStarted, []) } as unknown as ReceiptStore };
    const error = await failureOf(recover(late));
    await server.stop();
    expect(error).toBeInstanceOf(BusyError);
    expect((error as Error).message).toMatch(/Stop it first.*What was restored is sound and lies in .*data\.restored-/);
    const [aside] = beside();
    expect(aside).toMatch(/^data\.restored-/);
    rmSync(path.join(path.dirname(server.pgData), aside!), { recursive: true });
  }, 120_000);

  it('asks for room before it begins', async () => {
    const plan = await engine.planRestore({ moment: { kind: 'latest' } });
    const huge: RestorePlan = { ...plan, backup: { ...plan.backup!, clusterBytes: 2 ** 60 } };
    await expect(recover({ plan: huge })).rejects.toThrow('There is not enough room');
    expect(beside()).toEqual([]);
  });

  it('refuses what two renames cannot replace', async () => {
    const link = path.join(directory, 'link');
    symlinkSync(server.pgData, link);
    await expect(recover({ place: { kind: 'in-place', pgData: link } })).rejects.toThrow('is a symbolic link');
    await expect(recover({ place: { kind: 'in-place', pgData: directory } })).rejects.toThrow('is no data directory');
    await expect(recover({ place: { kind: 'new', directory } })).rejects.toThrow('exists. Choose a directory');
    const tablespace = path.join(server.pgData, 'pg_tblspc', '16999');
    mkdirSync(tablespace);
    await expect(recover()).rejects.toThrow('has tablespaces');
    rmSync(tablespace, { recursive: true });
  });

  it('refuses another one to the same place while it is at work, and tells it from one that is gone', async () => {
    const leftover = `${server.pgData}.restoring.999999999.partial`;
    const livingMaker = `${server.pgData}.restoring.${process.pid}.partial`;
    mkdirSync(leftover);
    mkdirSync(livingMaker);
    await expect(recover()).rejects.toThrow(BusyError);
    rmSync(livingMaker, { recursive: true });
    await expect(recover({ plan: await tooLarge() })).rejects.toThrow(StartupError);
    expect(existsSync(leftover)).toBe(false);
  });
});

const tooLarge = async (): Promise<RestorePlan> => {
  const plan = await engine.planRestore({ moment: { kind: 'latest' } });
  return { ...plan, backup: { ...plan.backup!, clusterBytes: 2 ** 60 } };
};

describe('a cluster that somebody else has restored', () => {
  it('is made fit where it is', async () => {
    await server.startAgain();
    const adminUrl = (database = 'postgres'): string => server.adminUrl().replace(/\/tenantry\?/, `/${database}?`);
    const nothing = (): Promise<void> => Promise.resolve();
    const external = {
      materialize: () => Promise.resolve({ adminUrl, directory: undefined, finish: nothing, discard: nothing }),
    } as unknown as NativeEngine;
    const plan: RestorePlan = { ...(await engine.planRestore({ moment: { kind: 'latest' } })), backup: undefined };
    const options = { engine: external, plan, place: { kind: 'elsewhere' } } as const;
    const passwordOf = (url: string): string => readPostgresUrl(url)!.password!;
    const { owner, platform } = server.urls;
    const passwords = { owner: passwordOf(owner), platform: passwordOf(platform), app: 'of now' };
    const result = await recover({ ...options, passwords });
    expect(result).toMatchObject({ directory: undefined, databases: ['tenantry'], renewedLogins: ['tenantry_app'] });

    const admin = new pg.Client({ connectionString: server.adminUrl() });
    await admin.connect();
    await admin.query('ALTER TABLE app.roles NO FORCE ROW LEVEL SECURITY');
    const error = (await failureOf(recover({ ...options, passwords }))) as RecoveryStoppedError;
    expect(error).toMatchObject({ step: 'verify-again', directory: undefined });
    expect(error.message).toContain('app.roles is not under forced row-level security');
    await admin.query('ALTER TABLE app.roles FORCE ROW LEVEL SECURITY');
    await admin.end();
    await server.stop();
  }, 120_000);
});

describe('the checksums of pages', () => {
  it('tell a flipped bit where amcheck does not look', async () => {
    await server.startAgain();
    const admin = new pg.Client({ connectionString: server.adminUrl() });
    await admin.connect();
    await admin.query('VACUUM public._prisma_migrations'); // makes its visibility map
    const { rows } = await admin.query<{ file: string; checksums: string }>(
      `SELECT pg_relation_filepath('public._prisma_migrations') || '_vm' AS file, current_setting('data_checksums') AS checksums`,
    );
    await admin.query('CHECKPOINT');
    await admin.end();
    await server.stop();
    flipBit(path.join(server.pgData, rows[0]!.file));
    await server.startAgain();
    const urlOf = (database: string): string => server.adminUrl().replace(/\/tenantry\?/, `/${database}?`);
    const findings = await verifyCluster(urlOf, ['checksums']);
    // PostgreSQL 18 makes clusters with checksums, those before it without.
    if (rows[0]!.checksums === 'on')
      expect(findings).toMatchObject([
        { check: 'checksums', problem: expect.stringMatching(/^_prisma_migrations \(vm\): invalid page/) as string },
      ]);
    else expect(findings).toEqual([]);
  }, 60_000);
});
