import { createHash, createHmac } from 'node:crypto';
import type { LogPosition } from '../../database/backup-stream';
import { BackupDamagedError } from '../engine';
import type { StoredFile } from '../repository/repository';
import type { BackupKey } from '../repository/sealed-stream';

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

/** The id of the backup that a file below ALL_BACKUPS is of. */
export const backupOfFile = (name: string): string => name.slice(PREFIX.length).split('/')[0]!;

/** Its text in the repository, with a seal: of the key that its files are sealed with, or a plain hash where they are not. */
export function writeManifest(manifest: BackupManifest, key: BackupKey | undefined): string {
  return `${JSON.stringify({ ...manifest, seal: sealOf(manifest, key) }, null, 2)}\n`;
}

/**
 * @param keys the current one and those before it. One that was sealed with another key is believed: its files do not open
 * @throws BackupDamagedError when it is not as it was written
 */
export function readManifest(id: string, text: string, keys: readonly BackupKey[]): BackupManifest {
  const { seal, ...manifest } = parse(id, text);
  if (manifest.format !== 1 || manifest.id !== id)
    throw new BackupDamagedError(id, 'its manifest is not one that this version of Tenantry reads');
  // Else whoever may write into the repository could do without the key.
  if (manifest.keyId === undefined && keys.length > 0)
    throw new BackupDamagedError(id, 'its manifest is not sealed, so it is none of ours');
  const key = keys.find((candidate) => candidate.id === manifest.keyId);
  const isSealedByOther = manifest.keyId !== undefined && !key;
  if (!isSealedByOther && seal !== sealOf(manifest, key))
    throw new BackupDamagedError(id, 'its manifest is not as it was written');
  return manifest;
}

function parse(id: string, text: string): BackupManifest & { seal?: unknown } {
  try {
    return JSON.parse(text) as BackupManifest;
  } catch (error) {
    throw new BackupDamagedError(id, 'its manifest cannot be read', { cause: error });
  }
}

function sealOf(manifest: BackupManifest, key: BackupKey | undefined): string {
  const text = JSON.stringify(manifest);
  if (!key) return createHash('sha256').update(text).digest('hex');
  return createHmac('sha256', key.derive(Buffer.from('manifest')))
    .update(text)
    .digest('hex');
}
