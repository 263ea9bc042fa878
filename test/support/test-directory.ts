import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isPostmasterAlive, listeningDirectory } from '../../src/database/postmaster';
import { isRoot } from '../../src/database/unprivileged-account';
import { killPgBouncer } from './pgbouncer';

const NAME = /^tenantry-test-(\d+)-/;
/** The name that src/database/socket-directory.ts gives where the path of the home is too long for a socket. */
const OUTSIDE_SOCKET_DIRECTORY = /^tenantry-[0-9a-f]{16}$/;
/** An immediate shutdown takes milliseconds. */
const SHUTDOWN_TIMEOUT_MS = 5_000;
const POLL_MS = 10;

/** A fresh directory for all that this jest run puts on the disk. Its name says which process it belongs to. */
export function makeTestDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), `tenantry-test-${process.pid}-`));
  if (isRoot()) chmodSync(directory, 0o711); // the server's account must pass through it
  return directory;
}

/**
 * The place of something that is made once and then used by many specs; by one worker, so that nobody else makes it meanwhile.
 * It goes at the end of the run.
 */
export function sharedPlace(name: string): string {
  const directory = process.env.TENANTRY_TEST_DIRECTORY;
  if (!directory)
    throw new Error('TENANTRY_TEST_DIRECTORY is not set: run the specs with jest, whose globalSetup makes it.');
  return path.join(directory, `${name}-${process.pid}`);
}

/** Removes what our account's runs have left whose process is dead, as after a kill -9; what still runs is let alone. */
export function sweepTestDirectories(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(NAME.exec(name)?.[1]);
    if (!pid) continue;
    const directory = path.join(tmpdir(), name);
    // A directory that somebody else made may lead us, as root, to remove anything.
    if (lstatSync(directory, { throwIfNoEntry: false })?.uid !== process.getuid?.()) continue;
    // In a container each run may have the same process number: what stands there before we make ours is not ours.
    if (pid === process.pid || !mayRun(pid)) removeTestDirectory(directory);
  }
}

/** Stops the servers of a test directory at once, if any run, and removes the directory. Synchronous: the last act of a process. */
export function removeTestDirectory(directory: string): void {
  killPgBouncer(directory);
  const home = path.join(directory, 'postgres');
  if (!lstatSync(home, { throwIfNoEntry: false })) return remove(directory);
  const realHome = realHomeOf(home);
  if (realHome) {
    const pgData = path.join(realHome, 'data');
    const socketDirectory = listeningDirectory(pgData);
    killServer(pgData);
    if (socketDirectory && OUTSIDE_SOCKET_DIRECTORY.test(path.basename(socketDirectory))) remove(socketDirectory);
    remove(realHome);
  }
  remove(directory);
}

/** Behind the link that src/database/cluster-home.ts makes where the server's account cannot reach the directory. */
function realHomeOf(home: string): string | undefined {
  try {
    return realpathSync(home);
  } catch {
    return undefined; // the start was cut short before it made the cluster
  }
}

function killServer(pgData: string): void {
  const pidFile = path.join(pgData, 'postmaster.pid');
  const deadline = Date.now() + SHUTDOWN_TIMEOUT_MS;
  if (!isPostmasterAlive(pgData)) return;
  process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGQUIT');
  // The server takes its file along. Its process may stay as a zombie: it was our child, and we wait without the event loop.
  while (lstatSync(pidFile, { throwIfNoEntry: false }) && Date.now() < deadline) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
}

function remove(place: string): void {
  rmSync(place, { recursive: true, force: true, maxRetries: 5 });
}

/** False only when there is certainly no such process; one of another account cannot be signalled and may well run. */
function mayRun(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
