import type { BaseBackup } from '../coverage';
import type { BackupSummary } from '../engine';
import type { PgBackRest } from './pgbackrest-program';

/** What `info --output=json` says of a backup (manual, "Info Command"). */
export interface BackupInfo {
  label: string;
  type: 'full' | 'diff' | 'incr';
  /** The other backups that hold files of it; null: none. */
  reference: string[] | null;
  /** Names of segments. */
  archive: { start: string; stop: string };
  lsn: { start: string; stop: string };
  /** Seconds since 1970, cut off. */
  timestamp: { start: number; stop: number };
  database: { id: number };
  info: { size: number; repository: { delta: number } };
}

interface DatabaseInfo {
  id: number;
  /** 15, 9.6 */
  version: string;
}

interface StanzaInfo {
  status: { code: number; message: string };
  db: DatabaseInfo[];
  backup: BackupInfo[];
}

/** One stanza, of the cluster that it serves now: backups of those before an upgrade lead to other programs. */
export interface Stanza {
  /** The place of its log in the repository; undefined: the stanza does not exist yet. */
  archiveId: string | undefined;
  serverMajor: number;
  /** The oldest first. */
  backups: BackupInfo[];
}

/** What `info` calls a stanza of which there is nothing yet: 1 is "missing stanza path", 3 "missing stanza data". */
const MISSING = [1, 3];

/** @throws PgBackRestError */
export async function readStanza(program: PgBackRest): Promise<Stanza> {
  const [info] = JSON.parse(await program.run('info', ['--output=json', '--repo=1'])) as StanzaInfo[];
  const database = info?.db.toSorted((a, b) => a.id - b.id).at(-1);
  if (!info || !database || MISSING.includes(info.status.code))
    return { archiveId: undefined, serverMajor: 0, backups: [] };
  return {
    archiveId: `${database.version}-${database.id}`,
    serverMajor: Math.trunc(Number(database.version)),
    backups: info.backup.filter((backup) => backup.database.id === database.id),
  };
}

export function summaryOf({ serverMajor }: Stanza, backup: BackupInfo): BackupSummary {
  return {
    id: backup.label,
    startedAt: new Date(backup.timestamp.start * 1000),
    finishedAt: finishOf(backup),
    serverMajor,
    timeline: timelineOf(backup.archive.stop),
    clusterBytes: backup.info.size,
    storedBytes: backup.info.repository.delta,
  };
}

export function baseBackupOf(backup: BackupInfo): BaseBackup {
  return {
    id: backup.label,
    finishedAt: finishOf(backup).toISOString(),
    start: { lsn: backup.lsn.start, timeline: timelineOf(backup.archive.start) },
    end: { lsn: backup.lsn.stop, timeline: timelineOf(backup.archive.stop) },
  };
}

/** Its seconds are cut off; before this it may not have been consistent. */
const finishOf = ({ timestamp }: BackupInfo): Date => new Date((timestamp.stop + 1) * 1000);

/** The first eight hexadecimal digits of a segment's name. */
const timelineOf = (segment: string): number => Number.parseInt(segment.slice(0, 8), 16);
