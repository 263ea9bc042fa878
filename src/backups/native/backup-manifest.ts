import type { LogPosition } from '../../database/backup-stream';
import type { StoredFile } from '../repository/repository';

/** What a base backup is: written last, so that a backup without one is none. Times are ISO 8601, UTC. */
export interface BackupManifest {
  format: 1;
  /** Also its place in the repository: `backups/<id>/`. It sorts by time. */
  id: string;
  systemId: string;
  /** Of PostgreSQL: 18 of 18.4 */
  serverMajor: number;
  startedAt: string;
  finishedAt: string;
  /** A restore replays the log from here… */
  start: LogPosition;
  /** …and is consistent from here on. */
  end: LogPosition;
  /** Of the key that its files are sealed with; undefined: they are not. */
  keyId: string | undefined;
  /** Of the cluster, before compression. */
  clusterBytes: number;
  files: StoredFile[];
}

const PREFIX = 'backups/';
const MANIFEST_NAME = 'manifest.json';

/** `20261123T101500Z-1a2b3c` */
export function newBackupId(now: Date, random: string): string {
  return `${now.toISOString().replaceAll(/[-:]|\.\d+/g, '')}-${random}`;
}

export const directoryOf = (id: string): string => `${PREFIX}${id}/`;
export const manifestNameOf = (id: string): string => `${directoryOf(id)}${MANIFEST_NAME}`;
export const ALL_BACKUPS = PREFIX;

/** The id of the backup whose manifest has this name; undefined when it is another file. */
export function backupOfManifest(name: string): string | undefined {
  return name.startsWith(PREFIX) && name.endsWith(`/${MANIFEST_NAME}`)
    ? name.slice(PREFIX.length, -MANIFEST_NAME.length - 1)
    : undefined;
}
