import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { canEnter } from './cluster-home';
import { writeOwnedFile } from './owned-file';
import type { PostgresBinaries } from './postgres-binaries';
import { isPostmasterAlive, launchPostmaster, type Postmaster, stopPostmaster } from './postmaster';
import type { Account } from './unprivileged-account';

/** How far the log is replayed. */
export type RecoveryTarget =
  | { kind: 'latest' }
  /** Commits up to and with this moment. */
  | { kind: 'time'; at: Date };

export interface RecoveryOptions {
  /** A data directory from a base backup (backups/native/materialize.ts). */
  pgData: string;
  /** Holds the log, segment by segment, and the timelines' histories. */
  walDirectory: string;
  target: RecoveryTarget;
  /** By number, never "latest": undoing a restore on the latest one gave the wrong rows. */
  timeline: number;
  binaries: PostgresBinaries;
  account: Account | undefined;
  /** The cluster's superuser. */
  superuser?: string;
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

const AUTO_CONF = 'postgresql.auto.conf';
const KEPT_AUTO_CONF = 'postgresql.auto.conf.before-recovery';
const HBA = 'recovery_hba.conf';
const LOG = 'recovery.log';
const SIGNAL = 'recovery.signal';
const POLL_MS = 50;

/**
 * Replays the log on a restored data directory up to the target and opens it, for this process alone. It archives nothing
 * and speaks to nobody: a clone must not write into its original's repository.
 * @throws RecoveryFailedError when the target is not reached
 */
export async function recover(options: RecoveryOptions): Promise<RecoveryServer> {
  const { pgData, binaries, account } = options;
  const socketDirectory = await makeSocketDirectory(account);
  writeRecoverySettings(options, socketDirectory);
  const logFile = path.join(path.dirname(pgData), `${path.basename(pgData)}.${LOG}`);
  const server = launchPostmaster(binaries, pgData, logFile, account);
  const user = options.superuser ?? 'postgres';
  const adminUrl = (database = 'postgres'): string =>
    `postgresql://${encodeURIComponent(user)}@localhost/${encodeURIComponent(database)}?host=${encodeURIComponent(socketDirectory)}`;
  const stop = async (): Promise<void> => {
    if (isPostmasterAlive(pgData)) await stopPostmaster(binaries, pgData, account);
    rmSync(socketDirectory, { recursive: true, force: true });
  };
  try {
    await untilOpen(server, adminUrl());
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    adminUrl,
    finish: async () => {
      await stop();
      removeRecoverySettings(pgData);
      rmSync(logFile, { force: true });
    },
  };
}

function writeRecoverySettings(
  { pgData, walDirectory, target, timeline, account }: RecoveryOptions,
  socket: string,
): void {
  const file = (name: string): string => path.join(pgData, name);
  const original = existsSync(file(AUTO_CONF)) ? readFileSync(file(AUTO_CONF), 'utf8') : '';
  if (!existsSync(file(KEPT_AUTO_CONF))) writeOwnedFile(file(KEPT_AUTO_CONF), original, account);
  // Debian keeps it outside of the data directory.
  if (!existsSync(file('postgresql.conf'))) writeOwnedFile(file('postgresql.conf'), '', account);
  const settings: Record<string, string> = {
    restore_command: `cp "${walDirectory.replaceAll('%', '%%')}/%f" "%p"`,
    recovery_target_timeline: String(timeline),
    recovery_target_action: 'promote',
    ...(target.kind === 'time' && { recovery_target_time: timestampOf(target.at) }),
    archive_mode: 'off',
    hot_standby: 'off', // nobody reads before it is there
    hba_file: file(HBA),
    listen_addresses: '',
    unix_socket_directories: socket,
    port: '5432',
    ssl: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    shared_preload_libraries: '',
    primary_conninfo: '',
    synchronous_standby_names: '', // or each commit would wait for a standby that is not there
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  writeOwnedFile(file(AUTO_CONF), `${original}\n${lines.join('')}`, account);
  writeOwnedFile(file(HBA), 'local all all trust\n', account);
  writeOwnedFile(file(SIGNAL), '', account);
}

/** PostgreSQL reads its settings before it knows what `Z` stands for. */
const timestampOf = (at: Date): string => at.toISOString().replace('T', ' ').replace('Z', '+00');

function removeRecoverySettings(pgData: string): void {
  const file = (name: string): string => path.join(pgData, name);
  if (existsSync(file(KEPT_AUTO_CONF))) renameSync(file(KEPT_AUTO_CONF), file(AUTO_CONF));
  for (const name of [HBA, SIGNAL]) rmSync(file(name), { force: true });
}

async function untilOpen(server: Postmaster, url: string): Promise<void> {
  for (;;) {
    if (server.process.exitCode !== null || server.process.signalCode !== null)
      throw new RecoveryFailedError(server.said());
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ recovering: boolean }>('SELECT pg_is_in_recovery() AS recovering');
      if (rows[0]?.recovering === false) return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!['ENOENT', 'ECONNREFUSED', 'ECONNRESET', '57P03'].includes(code ?? '')) throw error;
    } finally {
      await client.end().catch(() => undefined);
    }
    await sleep(POLL_MS);
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
