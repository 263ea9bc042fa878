import { Logger } from '@nestjs/common';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { StartupError } from '../common/errors';
import { type Cluster, openCluster, writeSettings } from './cluster';
import { type ClusterHome, locateClusterHome } from './cluster-home';
import { takeClusterLock } from './cluster-lock';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries';
import { isPostmasterAlive, launchPostmaster, listeningDirectory, type Postmaster, stopPostmaster } from './postmaster';
import { makeSocketDirectory } from './socket-directory';

export interface EmbeddedPostgresOptions {
  /** Made when missing; its database lives in `<dataDir>/postgres`. */
  dataDir: string;
  /** Settings of postgresql.conf beside our own. */
  settings?: Readonly<Record<string, string>>;
  /** The programs of another PostgreSQL server, such as /usr/lib/postgresql/15/bin. */
  binDir?: string;
}

/** A running server, reached through a unix socket alone. */
export interface EmbeddedPostgres {
  /** The cluster's directory (PGDATA); real path. */
  dataDir: string;
  /** A URL of the superuser. It holds the password. */
  adminUrl(database?: string): string;
  /** Stops the server; clients still connected are disconnected. The second call does nothing more. */
  stop(): Promise<void>;
}

/** How long a start may take: the replay of a large write-ahead log after a crash is the longest. */
const START_TIMEOUT_MS = 300_000;
/** A killed process's lock goes when the server notices its closed connection; only then is it really held. */
const LOCK_PATIENCE_MS = 1_000;
const POLL_MS = 20;
const RETRY_MS = 1_000;

/**
 * Starts the private PostgreSQL of a data directory, making its cluster at the first time, and answers for it until
 * stop(): a server that goes away in between is started again. One that a killed process left behind is adopted.
 * @throws StartupError when the directory is another process's, is of another version, or the server cannot start
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  try {
    const home = await locateClusterHome(options.dataDir);
    const binaries = await findPostgresBinaries(options.binDir, home.account);
    const cluster = await openCluster(home, binaries);
    const socketDirectory = await makeSocketDirectory(home);
    const server = new EmbeddedServer(home, binaries, cluster, socketDirectory, options.settings ?? {});
    await server.start();
    return server;
  } catch (error) {
    if (error instanceof StartupError) throw error;
    const reason = (error as Error).message;
    throw new StartupError(`The embedded PostgreSQL cannot start in ${options.dataDir}:\n${reason}`, { cause: error });
  }
}

class EmbeddedServer implements EmbeddedPostgres {
  readonly dataDir: string;
  private readonly logger = new Logger('EmbeddedPostgres');
  private readonly settings: Readonly<Record<string, string>>;
  /** The connection that holds the lock; undefined while it is lost. */
  private lock: pg.Client | undefined;
  private stopping: Promise<void> | undefined;
  private recovering: Promise<void> | undefined;

  constructor(
    private readonly home: ClusterHome,
    private readonly binaries: PostgresBinaries,
    private readonly cluster: Cluster,
    private readonly socketDirectory: string,
    settings: Readonly<Record<string, string>>,
  ) {
    this.dataDir = cluster.pgData;
    this.settings = {
      ...settings,
      listen_addresses: '',
      unix_socket_directories: socketDirectory,
      port: '5432',
      timezone: 'UTC',
      log_timezone: 'UTC',
    };
  }

  adminUrl(database = 'postgres'): string {
    return this.urlThrough(this.socketDirectory, database);
  }

  async start(): Promise<void> {
    await this.takeOver();
    // A server that we adopted runs under the settings of whoever started it.
    if (!writeSettings(this.cluster, this.settings)) return;
    const lock = this.lock;
    this.lock = undefined;
    await lock?.end();
    await this.stopServer();
    await this.takeOver();
  }

  stop(): Promise<void> {
    return (this.stopping ??= this.shutDown());
  }

  private async shutDown(): Promise<void> {
    await this.recovering;
    if (!this.lock) return; // lost: whoever has it now answers for the server
    await this.stopServer();
    await this.lock.end().catch(() => undefined); // the server is gone already
  }

  /** Has the server run, whoever starts it, and takes the lock. */
  private async takeOver(): Promise<void> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    let launched: Postmaster | undefined;
    let firstRefusal: number | undefined;
    while (Date.now() < deadline) {
      try {
        // A server that runs already may have been started with another directory for its socket.
        const holder = await takeClusterLock(
          this.urlThrough(listeningDirectory(this.cluster.pgData) ?? this.socketDirectory),
        );
        if ('client' in holder) return this.keep(holder.client);
        firstRefusal ??= Date.now();
        if (Date.now() - firstRefusal > LOCK_PATIENCE_MS) throw this.inUse(holder.heldBy);
      } catch (error) {
        if (!isNotListening(error)) throw error;
        launched = this.launchUnlessRunning(launched);
      }
      await sleep(POLL_MS);
    }
    throw new StartupError(`The database in ${this.home.dataDir} was not ready within ${START_TIMEOUT_MS / 1000} s.`);
  }

  private launchUnlessRunning(launched: Postmaster | undefined): Postmaster | undefined {
    if (launched) {
      if (!hasExited(launched)) return launched;
      const said = launched.said();
      // The last server still ends, or another start was faster: its turn, or ours again.
      if (!/shared memory block|lock file "postmaster.pid"/.test(said)) throw new Error(said || 'The server exited.');
    }
    if (isPostmasterAlive(this.cluster.pgData)) return undefined;
    writeSettings(this.cluster, this.settings);
    const logFile = path.join(this.home.path, 'server.log');
    return launchPostmaster(this.binaries, this.cluster.pgData, logFile, this.home.account);
  }

  private keep(lock: pg.Client): void {
    this.lock = lock;
    lock.once('end', () => {
      if (this.stopping || this.lock !== lock) return;
      this.lock = undefined;
      this.recovering = this.recover();
    });
  }

  /** The server crashed or was killed: the application's pools reconnect by themselves once it is back. */
  private async recover(): Promise<void> {
    while (!this.stopping && !this.lock) {
      this.logger.warn('The embedded PostgreSQL went away; starting it again.');
      try {
        await this.takeOver();
      } catch (error) {
        this.logger.error(`The embedded PostgreSQL does not start: ${(error as Error).message}`);
        await sleep(RETRY_MS);
      }
    }
  }

  private stopServer(): Promise<void> {
    return stopPostmaster(this.binaries, this.cluster.pgData, this.home.account);
  }

  private urlThrough(socketDirectory: string, database = 'postgres'): string {
    const host = encodeURIComponent(socketDirectory);
    return `postgresql://postgres:${this.cluster.superuserPassword}@localhost/${encodeURIComponent(database)}?host=${host}`;
  }

  private inUse(heldBy: string): StartupError {
    return new StartupError(
      `The data directory ${this.home.dataDir} is in use by another Tenantry (${heldBy}).\n` +
        'Stop that one, or give this one a directory of its own: DATA_DIR=<directory>',
    );
  }
}

const hasExited = ({ process: server }: Postmaster): boolean =>
  server.pid === undefined || server.exitCode !== null || server.signalCode !== null;

/** No server, or one that is just starting up, recovering or shutting down. */
function isNotListening(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return (
    ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', '57P01', '57P02', '57P03'].includes(code ?? '') ||
    /Connection terminated|timeout expired/.test(message)
  );
}
