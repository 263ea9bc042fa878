import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, readFileSync, readlinkSync, renameSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openOwnedLog } from './owned-file';
import type { PostgresBinaries } from './postgres-binaries';
import { idsOf, PROGRAM_ENV, runProgram } from './run-program';
import type { Account } from './unprivileged-account';

const PID_FILE = 'postmaster.pid';
const POLL_MS = 20;
/** A log larger than this is set aside at the next start; the one set aside before is dropped. */
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** A server that was started and may not listen yet. */
export interface Postmaster {
  process: ChildProcess;
  /** What it has written to its log since it was started. */
  said(): string;
}

/**
 * Starts a server in the background, in a session of its own: Ctrl-C at the terminal does not reach it, and we decide
 * when it stops. (Not through `pg_ctl start`, which hands paths to a shell.)
 */
export function launchPostmaster(
  binaries: PostgresBinaries,
  pgData: string,
  logFile: string,
  account: Account | undefined,
): Postmaster {
  const size = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  const isFull = size > MAX_LOG_BYTES;
  if (isFull) renameSync(logFile, `${logFile}.1`);
  const log = openOwnedLog(logFile, account);
  const server = spawn(binaries.postgres, ['-D', pgData], {
    ...idsOf(account),
    cwd: '/',
    env: PROGRAM_ENV,
    detached: true,
    stdio: ['ignore', log, log],
  });
  server.on('error', () => undefined); // it shows as an exit without a word; the binary was tried before
  server.unref();
  closeSync(log);
  const start = isFull ? 0 : size;
  return { process: server, said: () => readFileSync(logFile).subarray(start).toString('utf8').trim() };
}

/** Stops the server of a cluster: clients are disconnected, what they had not committed is rolled back. */
export async function stopPostmaster(binaries: PostgresBinaries, pgData: string, account?: Account): Promise<void> {
  const stop = (mode: string): Promise<string> =>
    runProgram(binaries.pgCtl, ['stop', '-D', pgData, '-m', mode, '-w', '-t', '60'], account);
  try {
    await stop('fast');
  } catch (error) {
    if (isPostmasterAlive(pgData))
      await stop('immediate'); // the next start recovers
    else if (existsSync(path.join(pgData, PID_FILE))) throw error;
  }
}

/** Ends a server whose cluster is to be thrown away. */
export async function killPostmaster(pgData: string): Promise<void> {
  while (isPostmasterAlive(pgData)) {
    process.kill(Number(readPidFile(pgData)[0]), 'SIGQUIT');
    await sleep(POLL_MS);
  }
}

/**
 * Whether a server runs on this cluster, listening or not. A `postmaster.pid` that a crash left is removed when its
 * number belongs to another process by now, as it does after each restart of a container: PostgreSQL would believe it.
 */
export function isPostmasterAlive(pgData: string): boolean {
  const [pid] = readPidFile(pgData);
  if (!pid || !isAlive(Number(pid))) return false;
  if (worksIn(Number(pid), pgData)) return true;
  rmSync(path.join(pgData, PID_FILE), { force: true });
  return false;
}

/** Where the server of a cluster says that it listens; undefined when it does not say, or moved since. */
export function listeningDirectory(pgData: string): string | undefined {
  const directory = readPidFile(pgData)[4];
  return directory && existsSync(directory) ? directory : undefined;
}

/** The lines of postmaster.pid: process, PGDATA, start time, port, socket directory, … */
function readPidFile(pgData: string): string[] {
  try {
    return readFileSync(path.join(pgData, PID_FILE), 'utf8').split('\n');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whether a process of this number runs that we may signal; PostgreSQL, too, takes no other for its own. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** A server's working directory is its cluster's. True where the system does not tell. */
function worksIn(pid: number, directory: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === directory;
  } catch {
    return true;
  }
}
