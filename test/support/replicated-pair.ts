import { appendFileSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Cluster, writeSettings } from '../../src/database/cluster';
import { locateClusterHome } from '../../src/database/cluster-home';
import { startEmbeddedDatabase } from '../../src/database/embedded-database';
import type { LoginPurpose, LoginUrls } from '../../src/database/login-definitions';
import { findPostgresBinaries, type PostgresBinaries } from '../../src/database/postgres-binaries';
import { isPostmasterAlive, launchPostmaster, stopPostmaster } from '../../src/database/postmaster';
import { runProgram } from '../../src/database/run-program';
import { readPostgresUrl, writePostgresUrl } from '../../src/common/postgres-url';
import { freePort } from './free-port';
import { copyPreparedCluster } from './prepared-cluster';
import { makeTestDirectory, removeTestDirectory } from './test-directory';

/** How long a server may take to start, or a standby to follow. */
const START_TIMEOUT_MS = 20_000;
const POLL_MS = 20;
const STANDBY_NAME = 'standby';

/**
 * A primary and a standby that streams from it, synchronously: a commit is acknowledged when both have it. Nobody restarts
 * either. The standby is a copy of the stopped primary, which needs no pg_basebackup and so works with the embedded programs.
 */
export class ReplicatedPair {
  private constructor(
    private readonly directory: string,
    private readonly urls: LoginUrls,
    private readonly adminPassword: string,
    readonly primary: PairMember,
    readonly standby: PairMember,
  ) {}

  static async start(): Promise<ReplicatedPair> {
    const directory = makeTestDirectory();
    await copyPreparedCluster(directory);
    const { urls, stop } = await startEmbeddedDatabase(directory);
    await stop();
    const home = await locateClusterHome(directory);
    const binaries = await findPostgresBinaries(undefined, home.account);
    const password = readFileSync(path.join(home.path, 'superuser-password'), 'utf8').trim();
    const clusterIn = (pgData: string): Cluster => ({ home, pgData, superuserPassword: password });
    const [primaryPort, standbyPort] = [await freePort(), await freePort()];
    const primaryData = path.join(home.path, 'data');
    const standbyData = path.join(home.path, 'standby');
    appendFileSync(path.join(primaryData, 'pg_hba.conf'), 'host replication postgres 127.0.0.1/32 scram-sha-256\n');
    cpSync(primaryData, standbyData, { recursive: true });
    writeFileSync(path.join(standbyData, 'standby.signal'), '');
    if (home.account) await runProgram('chown', ['-R', `${home.account.uid}:${home.account.gid}`, standbyData]);
    const primary = new PairMember(binaries, clusterIn(primaryData), primaryPort, {
      synchronous_standby_names: STANDBY_NAME,
    });
    const standby = new PairMember(binaries, clusterIn(standbyData), standbyPort, {
      cluster_name: STANDBY_NAME, // the name under which its receiver appears
      primary_conninfo: `host=127.0.0.1 port=${primaryPort} user=postgres password=${password} connect_timeout=2`,
      hot_standby: 'on',
      wal_retrieve_retry_interval: '100ms',
    });
    const pair = new ReplicatedPair(directory, urls, password, primary, standby);
    try {
      standby.launch();
      primary.launch();
      await pair.untilStreaming();
      return pair;
    } catch (error) {
      await pair.stop();
      throw error;
    }
  }

  /** A login's URL of both, the primary first. */
  urlOfBoth(purpose: LoginPurpose): string {
    return this.urlOf(purpose, [this.primary, this.standby]);
  }

  urlOf(purpose: LoginPurpose, members: readonly PairMember[]): string {
    const hosts = members.map(({ port }) => ({ host: '127.0.0.1', port }));
    const parameters = new Map(members.length > 1 ? [['target_session_attrs', 'read-write'] as const] : []);
    return writePostgresUrl({ ...readPostgresUrl(this.urls[purpose])!, hosts, parameters });
  }

  /** One statement of the superuser's. */
  async query<Row extends pg.QueryResultRow>(
    member: PairMember,
    sql: string,
    parameters: unknown[] = [],
    database = 'tenantry',
  ): Promise<Row[]> {
    const { port } = member;
    const login = { user: 'postgres', password: this.adminPassword };
    const client = new pg.Client({ host: '127.0.0.1', port, database, ...login, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(sql, parameters)).rows;
    } finally {
      await client.end();
    }
  }

  /** The primary waits for no standby any more. */
  async commitAlone(): Promise<void> {
    await this.query(this.primary, `ALTER SYSTEM SET synchronous_standby_names = ''`);
    await this.query(this.primary, 'SELECT pg_reload_conf()');
  }

  /** Both stopped, whatever state they are in. */
  async stop(): Promise<void> {
    await Promise.all([this.primary.stop(), this.standby.stop()]);
    removeTestDirectory(this.directory);
  }

  private async untilStreaming(): Promise<void> {
    const isStreaming = async (): Promise<boolean> => {
      const [row] = await this.query<{ state: string }>(
        this.primary,
        'SELECT sync_state AS state FROM pg_stat_replication WHERE application_name = $1',
        [STANDBY_NAME],
      );
      return row?.state === 'sync';
    };
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await isStreaming().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`No replication: ${this.primary.said()}\n${this.standby.said()}`);
      await sleep(POLL_MS);
    }
  }
}

/** One of the two servers. */
export class PairMember {
  private readonly logFile: string;

  constructor(
    private readonly binaries: PostgresBinaries,
    private readonly cluster: Cluster,
    readonly port: number,
    private readonly settings: Record<string, string>,
  ) {
    this.logFile = `${cluster.pgData}.log`;
  }

  launch(): void {
    writeSettings(this.cluster, {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: '',
      fsync: 'off', // the machine does not crash in these tests, the server does
      ...this.settings,
    });
    launchPostmaster(this.binaries, this.cluster.pgData, this.logFile, this.cluster.home.account);
  }

  said(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** Kills it with all its backends at once, as a machine that loses its power does. */
  async kill(): Promise<void> {
    this.signalAll('SIGKILL');
    while (isPostmasterAlive(this.cluster.pgData)) await sleep(POLL_MS);
  }

  /** To the server and all its backends. */
  signalAll(name: NodeJS.Signals): void {
    const [pid] = readFileSync(path.join(this.cluster.pgData, 'postmaster.pid'), 'utf8').split('\n');
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    for (const id of [pid, ...children]) signal(Number(id), name);
  }

  /** Makes it the primary; it waits for no standby of its own. */
  async promote(): Promise<void> {
    const { home, pgData } = this.cluster;
    await runProgram(this.binaries.pgCtl, ['promote', '-D', pgData, '-w', '-t', '60'], home.account);
  }

  async stop(): Promise<void> {
    if (!isPostmasterAlive(this.cluster.pgData)) return;
    this.signalAll('SIGCONT'); // whatever a failed test has left
    await stopPostmaster(this.binaries, this.cluster.pgData, this.cluster.home.account);
  }
}

/** To a process that may have ended meanwhile. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
