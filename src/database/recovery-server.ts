import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { canEnter } from './cluster-home';
import type { PostgresBinaries } from './postgres-binaries';
import { isPostmasterAlive, launchPostmaster, type Postmaster, stopPostmaster } from './postmaster';
import { type RecoveryTarget, removeRecoverySettings, writeRecoverySettings } from './recovery-settings';
import type { Account } from './unprivileged-account';

export interface RecoveryOptions {
  /** A data directory from a base backup. */
  pgData: string;
  /** PostgreSQL's `restore_command`: fetches the file %f of the log to %p (see copyCommand). */
  restoreCommand: string;
  target: RecoveryTarget;
  /** By number, never "latest": undoing a restore on the latest one gave the wrong rows. */
  timeline: number;
  /** Lets the caller look, read only, when replay has come to this restore point. It must not lie after the target. */
  inspection?: { point: string; look: (server: Pick<RecoveryServer, 'adminUrl'>) => Promise<void> } | undefined;
  /** Thrown away afterwards, and beside a server that serves: not flushed to the disk, and last in turn for the processor. */
  isScratch?: boolean | undefined;
  binaries: PostgresBinaries;
  account: Account | undefined;
  /** The cluster's superuser. */
  superuser?: string;
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

/** A server on a recovered data directory, which only this process reaches. */
export interface RecoveryServer {
  readonly adminUrl: (database?: string) => string;
  /** Stops it and takes away what recovery has put there: what stays is an ordinary data directory. */
  finish(): Promise<void>;
}

/** The server did not get to where it should. The message is its own. */
export class RecoveryFailedError extends Error {
  constructor(said: string) {
    const fatal = said.split('\n').filter((line) => /FATAL|PANIC|ERROR/.test(line));
    super(`PostgreSQL could not recover: ${(fatal.length > 0 ? fatal : said.split('\n').slice(-3)).join(' ').trim()}`);
    this.name = 'RecoveryFailedError';
  }
}

const LOG = 'recovery.log';
const POLL_MS = 50;
const LOW_PRIORITY = 10;
/** PostgreSQL names one of five settings at a time that is lower than the original's; it may have been raised more than once. */
const MAX_STARTS = 30;
const TOO_LOW = /(\w+) = \d+ is a lower setting than on the primary server, where its value was (\d+)/g;

/** A `restore_command` for log that lies in a directory, file by file. */
export function copyCommand(directory: string): string {
  return `cp '${directory.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'/%f "%p"`;
}

/**
 * Replays the log on a restored data directory up to the target and opens it, for this process alone. It archives nothing
 * and speaks to nobody: a clone must not write into its original's repository.
 * @throws RecoveryFailedError when the target is not reached
 */
export async function recover(options: RecoveryOptions): Promise<RecoveryServer> {
  const server = new RecoveringServer(options, await makeSocketDirectory(options.account));
  const stop = (): void => void server.stop().catch(() => undefined); // whoever looks at it meanwhile fails
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    if (options.inspection) {
      const { point, look } = options.inspection;
      await server.replayTo({ kind: 'point', name: point }, 'paused');
      await look({ adminUrl: server.adminUrl });
      await server.stop();
    }
    await server.replayTo(options.target, 'open');
  } catch (error) {
    await server.stop();
    server.removeSocketDirectory();
    rmSync(server.logFile, { force: true }); // the error has told
    throw options.signal?.aborted ? options.signal.reason : error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
  }
  return {
    adminUrl: server.adminUrl,
    finish: async () => {
      await server.stop();
      server.removeSocketDirectory();
      removeRecoverySettings(options.pgData);
      rmSync(server.logFile, { force: true });
    },
  };
}

/** At the target it is paused there, for reading, or has left recovery, for all. */
type Arrival = 'paused' | 'open';

class RecoveringServer {
  readonly logFile: string;
  private readonly atLeast: Record<string, string> = {};

  constructor(
    private readonly options: RecoveryOptions,
    private readonly socketDirectory: string,
  ) {
    const { pgData } = options;
    this.logFile = path.join(path.dirname(pgData), `${path.basename(pgData)}.${LOG}`);
  }

  readonly adminUrl = (database = 'postgres'): string => {
    const user = encodeURIComponent(this.options.superuser ?? 'postgres');
    return `postgresql://${user}@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(this.socketDirectory)}`;
  };

  async replayTo(target: RecoveryTarget, arrival: Arrival): Promise<void> {
    const { pgData, account, binaries, isScratch = false } = this.options;
    for (let start = 1; ; start += 1) {
      writeRecoverySettings({
        ...this.options,
        target,
        pauses: arrival === 'paused',
        atLeast: this.atLeast,
        isScratch,
        socketDirectory: this.socketDirectory,
      });
      const postmaster = launchPostmaster(binaries, pgData, this.logFile, account);
      if (isScratch && postmaster.process.pid) setPriority(postmaster.process.pid, LOW_PRIORITY);
      if (await this.hasArrived(postmaster, arrival)) return;
      await this.stop();
      if (start === MAX_STARTS) throw new RecoveryFailedError(postmaster.said());
    }
  }

  async stop(): Promise<void> {
    const { pgData, account, binaries } = this.options;
    if (isPostmasterAlive(pgData)) await stopPostmaster(binaries, pgData, account);
  }

  removeSocketDirectory(): void {
    rmSync(this.socketDirectory, { recursive: true, force: true });
  }

  /** @returns false when it must be started anew, with what it has asked for */
  private async hasArrived(postmaster: Postmaster, arrival: Arrival): Promise<boolean> {
    for (;;) {
      this.options.signal?.throwIfAborted();
      const hasExited = postmaster.process.exitCode !== null || postmaster.process.signalCode !== null;
      const isThere = !hasExited && (await this.isAt(arrival));
      // It also pauses where it cannot go on: before its word is believed, what it has said is read.
      if ((isThere || hasExited) && this.raiseSettings(postmaster.said())) return false;
      if (hasExited) throw new RecoveryFailedError(postmaster.said());
      if (isThere) return true;
      await sleep(POLL_MS);
    }
  }

  private async isAt(arrival: Arrival): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.adminUrl(), connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ there: boolean }>(
        arrival === 'open'
          ? 'SELECT NOT pg_is_in_recovery() AS there'
          : `SELECT pg_is_in_recovery() AND pg_get_wal_replay_pause_state() = 'paused' AS there`,
      );
      return rows[0]?.there === true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET', '57P03'].includes(code ?? '')) throw error;
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** @returns whether one is raised, so that another start gets further */
  private raiseSettings(said: string): boolean {
    let isRaised = false;
    for (const [, name, value] of said.matchAll(TOO_LOW)) {
      if (Number(this.atLeast[name!] ?? 0) >= Number(value)) continue;
      this.atLeast[name!] = value!;
      isRaised = true;
    }
    return isRaised;
  }
}

/** Short, since a socket's path holds 107 bytes, and closed to everybody else: whoever reaches the socket is superuser. */
async function makeSocketDirectory(account: Account | undefined): Promise<string> {
  const parent = tmpdir().length < 60 && (await canEnter(tmpdir(), account)) ? tmpdir() : '/tmp';
  const directory = path.join(parent, `tenantry-recovery-${randomBytes(6).toString('hex')}`);
  mkdirSync(directory, { mode: 0o700 });
  if (account) chownSync(directory, account.uid, account.gid);
  return directory;
}
