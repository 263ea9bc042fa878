import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { readOwnedFile, writeOwnedFile } from './owned-file';
import type { Account } from './unprivileged-account';

/** How far the log is replayed. */
export type RecoveryTarget =
  | { kind: 'latest' }
  /** Commits up to and with this moment. */
  | { kind: 'time'; at: Date }
  /** A restore point of this name (`pg_create_restore_point`). */
  | { kind: 'point'; name: string };

export interface RecoverySettings {
  pgData: string;
  socketDirectory: string;
  /** PostgreSQL's `restore_command`: fetches the file %f of the log to %p. */
  restoreCommand: string;
  target: RecoveryTarget;
  /** By number, never "latest": undoing a restore on the latest one gave the wrong rows. */
  timeline: number;
  /** At the target the server waits, and can be read. Otherwise it ends the recovery there, and serves. */
  pauses: boolean;
  /** Settings that must be at least as high as the original's were, or PostgreSQL lets nobody read while it recovers. */
  atLeast: Readonly<Record<string, string>>;
  /** Thrown away afterwards: nothing of it needs to survive a crash. */
  isScratch: boolean;
  account: Account | undefined;
}

const CONF = 'postgresql.conf';
const STAND_IN = '# For the recovery alone: the real one lies outside of the data directory.\n';
const AUTO_CONF = 'postgresql.auto.conf';
const KEPT_AUTO_CONF = 'postgresql.auto.conf.before-recovery';
const HBA = 'recovery_hba.conf';
const SIGNAL = 'recovery.signal';

/** Tells a server, before its start, to recover; called again, to recover to another target. */
export function writeRecoverySettings(settings: RecoverySettings): void {
  const { pgData, account } = settings;
  const file = (name: string): string => path.join(pgData, name);
  if (!existsSync(file(KEPT_AUTO_CONF))) {
    const text = existsSync(file(AUTO_CONF)) ? readOwnedFile(file(AUTO_CONF)) : '';
    writeOwnedFile(file(KEPT_AUTO_CONF), text, account);
  }
  const original = readOwnedFile(file(KEPT_AUTO_CONF));
  // Debian keeps it outside of the data directory.
  if (!existsSync(file(CONF))) writeOwnedFile(file(CONF), STAND_IN, account);
  const lines = Object.entries(valuesOf(settings, file(HBA))).map(
    ([name, value]) => `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'\n`,
  );
  writeOwnedFile(file(AUTO_CONF), `${original}\n${lines.join('')}`, account);
  writeOwnedFile(file(HBA), 'local all all trust\n', account);
  writeOwnedFile(file(SIGNAL), '', account);
}

/** Takes away what was written: the directory is an ordinary one again. */
export function removeRecoverySettings(pgData: string): void {
  const file = (name: string): string => path.join(pgData, name);
  if (existsSync(file(KEPT_AUTO_CONF))) renameSync(file(KEPT_AUTO_CONF), file(AUTO_CONF));
  for (const name of [HBA, SIGNAL]) rmSync(file(name), { force: true });
  if (existsSync(file(CONF)) && readFileSync(file(CONF), 'utf8') === STAND_IN) rmSync(file(CONF));
}

function valuesOf(settings: RecoverySettings, hbaFile: string): Record<string, string> {
  const { target, pauses } = settings;
  return {
    restore_command: settings.restoreCommand,
    recovery_end_command: '',
    archive_cleanup_command: '',
    recovery_target: '', // at most one of them may be set, which comes last; the original's own may be
    recovery_target_lsn: '',
    recovery_target_xid: '',
    ...(target.kind === 'point'
      ? { recovery_target_time: '', recovery_target_name: target.name }
      : { recovery_target_name: '', recovery_target_time: target.kind === 'time' ? timestampOf(target.at) : '' }),
    recovery_target_inclusive: 'on',
    recovery_target_timeline: String(settings.timeline),
    recovery_target_action: pauses ? 'pause' : 'promote',
    archive_mode: 'off',
    max_logical_replication_workers: '0', // a clone's subscriptions would speak to their publisher
    hot_standby: pauses ? 'on' : 'off', // nobody reads before it is there
    hba_file: hbaFile,
    listen_addresses: '',
    unix_socket_directories: settings.socketDirectory,
    port: '5432',
    ssl: 'off',
    logging_collector: 'off',
    log_destination: 'stderr',
    lc_messages: 'C', // what it says is read
    shared_preload_libraries: '',
    session_preload_libraries: '',
    local_preload_libraries: '',
    primary_conninfo: '',
    primary_slot_name: '',
    synchronous_standby_names: '', // or each commit would wait for a standby that is not there
    huge_pages: 'off',
    shared_buffers: '128MB', // the original's may still be in use on this machine
    ...(settings.isScratch && { fsync: 'off', autovacuum: 'off' }),
    ...settings.atLeast,
  };
}

/** PostgreSQL reads its settings before it knows what `Z` stands for. */
const timestampOf = (at: Date): string => at.toISOString().replace('T', ' ').replace('Z', '+00');
