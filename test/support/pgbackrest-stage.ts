import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { PgBackRestEngine } from '../../src/backups/pgbackrest/pgbackrest-engine';
import { PgBackRest } from '../../src/backups/pgbackrest/pgbackrest-program';
import { LocalRepository } from '../../src/backups/repository/local-repository';
import { SealedNotes } from '../../src/backups/repository/sealed-notes';
import { readPostgresUrl } from '../../src/common/postgres-url';
import { writeOwnedFile } from '../../src/database/owned-file';
import { type Account, chooseAccount, isRoot } from '../../src/database/unprivileged-account';
import type { BackupStage } from './engine-stage';
import { eventually } from './eventually';
import { flipBit } from './flip-bit';
import { OwnServer } from './own-server';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

/** The newest that Debian 12's pgBackRest (2.45) knows. */
export const BIN_DIR = '/usr/lib/postgresql/15/bin';
const PACKAGES = 'apt-get update && apt-get install -y --no-install-recommends pgbackrest postgresql-15';
const STANZA = 'stage';

export const hasPgBackRest = spawnSync('pgbackrest', ['version']).status === 0 && existsSync(`${BIN_DIR}/postgres`);

if (!hasPgBackRest)
  process.stderr.write(
    `pgBackRest or PostgreSQL 15 is missing: that engine is not tried. On Debian 12 (CONTRIBUTING.md): ${PACKAGES}\n`,
  );

/** For what cannot be tried without pgBackRest. It is skipped where somebody works, and fails in CI. */
export const describeWithPgBackRest = hasPgBackRest || process.env.CI ? describe : describe.skip;

/** A server of PostgreSQL 15 that archives with Debian's pgBackRest. */
export class PgBackRestStage implements BackupStage {
  readonly restoresItself = true;
  readonly notes: SealedNotes;
  readonly engine: PgBackRestEngine;
  readonly program: PgBackRest;

  private constructor(
    readonly server: OwnServer,
    private owner: pg.Client,
    private admin: pg.Client,
    readonly directory: string,
    readonly config: string,
    account: Account | undefined,
  ) {
    this.notes = new SealedNotes(new LocalRepository(path.join(directory, 'notes')), []);
    this.program = new PgBackRest({ stanza: STANZA, config, account });
    this.engine = this.engineOf(0);
  }

  static async start(): Promise<PgBackRestStage> {
    const account = isRoot() ? chooseAccount(readFileSync('/etc/passwd', 'utf8')) : undefined;
    const directory = makeTestDirectory();
    const config = path.join(directory, 'pgbackrest.conf');
    const hba = path.join(directory, 'pg_hba.conf');
    // pgBackRest comes as the superuser and has no password; the socket's directory is closed to others.
    writeOwnedFile(hba, 'local all all trust\nlocal replication all trust\n', account);
    const settings = {
      archive_mode: 'on',
      archive_command: `pgbackrest --config=${config} --stanza=${STANZA} archive-push "%p"`,
      hba_file: hba,
    };
    const server = await OwnServer.start(settings, BIN_DIR);
    writeOwnedFile(config, configurationOf(directory, server), account);
    for (const name of ['repository', 'log', 'lock', 'spool', 'targets']) {
      mkdirSync(path.join(directory, name), { mode: 0o700 });
      if (account) chownSync(path.join(directory, name), account.uid, account.gid);
    }
    const [owner, admin] = await connect(server);
    await owner.query('CREATE TABLE public.numbers (number int)');
    return new PgBackRestStage(server, owner, admin, directory, config, account);
  }

  /** Stops the server and starts it on a restored directory instead. */
  async replaceServer(restored: string): Promise<void> {
    await this.disconnect();
    await this.server.stop();
    renameSync(this.server.pgData, path.join(this.directory, 'replaced'));
    renameSync(restored, this.server.pgData);
    await this.server.startAgain();
    [this.owner, this.admin] = await connect(this.server);
  }

  /** @param fullEveryDays 0: each backup is a full one */
  engineOf(fullEveryDays: number, program = this.program): PgBackRestEngine {
    return new PgBackRestEngine(program, { binDir: BIN_DIR, fullEveryDays }, this.notes);
  }

  get backupUrl(): string {
    return this.server.urls.backup;
  }

  async write(number: number): Promise<Date> {
    await this.owner.query('INSERT INTO public.numbers VALUES ($1)', [number]);
    // A Date has no microseconds: cut off, it would lie before the commit.
    const { rows } = await this.owner.query<{ now: Date }>("SELECT clock_timestamp() + interval '1 ms' AS now");
    await sleep(20);
    return rows[0]!.now;
  }

  async stored(at: Date): Promise<void> {
    await this.write(-1); // a commit after it
    await this.endSegment();
    await eventually(async () => {
      const { until } = await this.engine.planRestore({ moment: { kind: 'latest' } });
      expect(until.getTime()).toBeGreaterThan(at.getTime());
    }, 120_000);
  }

  async endSegment(): Promise<void> {
    await this.admin.query('SELECT pg_switch_wal()');
  }

  offer(): Promise<void> {
    return Promise.resolve();
  }

  damage(backupId: string): () => void {
    const base = path.join(this.directory, 'repository', 'backup', STANZA, backupId, 'pg_data', 'base');
    const files = readdirSync(base, { recursive: true, encoding: 'utf8' }).map((name) => path.join(base, name));
    const [largest] = files.toSorted((a, b) => sizeOf(b) - sizeOf(a));
    return flipBit(largest!);
  }

  loseSegment(): () => void {
    const file = this.segments().at(-2)!;
    const aside = path.join(this.directory, 'lost');
    renameSync(file, aside);
    return () => renameSync(aside, file);
  }

  /** The files of the log in the repository, in order. */
  segments(): string[] {
    const log = path.join(this.directory, 'repository', 'archive', STANZA, '15-1');
    const files = readdirSync(log, { recursive: true, encoding: 'utf8' });
    return files
      .filter((name) => /\/[0-9A-F]{24}-/.test(name))
      .toSorted()
      .map((name) => path.join(log, name));
  }

  newTarget(): string {
    return path.join(this.directory, 'targets', randomBytes(4).toString('hex'));
  }

  leftovers(): string[] {
    return readdirSync(path.join(this.directory, 'targets'));
  }

  private async disconnect(): Promise<void> {
    await this.owner.end();
    await this.admin.end();
  }

  async end(): Promise<void> {
    await this.disconnect();
    await this.server.remove();
    removeTestDirectory(this.directory);
  }
}

async function connect(server: OwnServer): Promise<[owner: pg.Client, admin: pg.Client]> {
  const clients = [server.urls.owner, server.adminUrl()].map((url) => new pg.Client({ connectionString: url }));
  for (const client of clients) await client.connect();
  return clients as [pg.Client, pg.Client];
}

function configurationOf(directory: string, server: OwnServer): string {
  const { hosts } = readPostgresUrl(server.adminUrl())!;
  return [
    '[global]',
    `repo1-path=${directory}/repository`,
    `log-path=${directory}/log`,
    `lock-path=${directory}/lock`,
    `spool-path=${directory}/spool`,
    'compress-level=1',
    'job-retry=0', // it would wait for 15 s before it calls a file damaged
    `[${STANZA}]`,
    `pg1-path=${server.pgData}`,
    `pg1-socket-path=${hosts[0]!.host}`,
    `pg1-port=${hosts[0]!.port}`,
    'pg1-user=postgres',
    '',
  ].join('\n');
}

const sizeOf = (file: string): number => statSync(file).size;
