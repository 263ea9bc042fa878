import type { RestoreMark } from '../database/restore-mark';
import { parseLsn } from '../database/wal-stream';
import { checksumsAtRestorePoint, currentChecksums, type TableChecksum } from '../database/table-checksums';
import { BACKUP_LOGIN } from './backup-login';
import type { RecoveredCluster, RestorePlan } from './engine';
import type { SealedNotes } from './repository/sealed-notes';

/**
 * What stood in the database at a restore point right after a base backup. A restore that passes the point is held against it:
 * so it is known that what came back is what was there, table by table and tenant by tenant.
 */
export interface VerificationPoint extends RestoreMark {
  format: 1;
  backupId: string;
  database: string;
  /** For so long nobody could write, at most. */
  lockedMs: number;
  entries: [table: string, tenantId: string | null, rows: number, checksum: string][];
}

/** Rows of one tenant in one table; null: there were none. */
export type EntryState = Pick<TableChecksum, 'rows' | 'checksum'> | null;

/** What came back otherwise than it was. */
export interface Mismatch {
  table: string;
  /** Null: rows that belong to no tenant. */
  tenantId: string | null;
  expected: EntryState;
  found: EntryState;
}

export interface Comparison {
  /** How many tables by tenant there were to compare. */
  entries: number;
  mismatches: Mismatch[];
}

const PREFIX = 'verification/';

/**
 * Takes the verification point of a backup that was just taken. Writers wait for some milliseconds; then they go on, while
 * all rows are counted and hashed.
 * @param options.url of the backup login
 * @throws NoQuietMomentError; StartupError when the login may not create restore points
 */
export async function takeVerificationPoint(options: {
  notes: SealedNotes;
  url: string;
  backupId: string;
  patienceMs?: number;
  signal?: AbortSignal | undefined;
}): Promise<VerificationPoint> {
  const { notes, backupId } = options;
  const { mark, database, lockedMs, entries } = await checksumsAtRestorePoint({
    ...options,
    variable: BACKUP_LOGIN,
    name: `verify-${backupId}`,
  });
  const point: VerificationPoint = {
    format: 1,
    backupId,
    ...mark,
    database,
    lockedMs,
    entries: entries.map(({ table, tenantId, rows, checksum }) => [table, tenantId, rows, checksum]),
  };
  await notes.put(`${PREFIX}${backupId}`, point);
  return point;
}

/** @returns undefined when the backup has none */
export async function readVerificationPoint(
  notes: SealedNotes,
  backupId: string,
): Promise<VerificationPoint | undefined> {
  const stored = await notes.read<Omit<VerificationPoint, 'at'> & { at: string }>(`${PREFIX}${backupId}`);
  return stored && { ...stored, at: new Date(stored.at) };
}

/** Removes the points of backups that are no more. */
export async function forgetVerificationPoints(notes: SealedNotes, backupIds: readonly string[]): Promise<void> {
  const kept = new Set(backupIds.map((id) => `${PREFIX}${id}`));
  for (const name of await notes.list(PREFIX)) if (!kept.has(name)) await notes.remove(name);
}

/**
 * Whether what is restored by this plan passes the point on its way. Otherwise it cannot be held against it: the moment lies before the
 * point, or the timeline has left the point's own before it.
 */
export function passesPoint({ until, timeline, history }: RestorePlan, point: VerificationPoint): boolean {
  const left = history.find((leg) => leg.timeline === point.timeline)?.until;
  const isOnTheWay = timeline === point.timeline || (left !== undefined && parseLsn(point.lsn) <= left);
  return isOnTheWay && point.at <= until;
}

/** Holds a cluster, recovered to exactly this point, against it. It only reads. */
export async function compareWithPoint(
  cluster: Pick<RecoveredCluster, 'adminUrl'>,
  point: VerificationPoint,
): Promise<Comparison> {
  const keyOf = (table: string, tenantId: string | null): string => `${table} ${tenantId ?? ''}`;
  const found = new Map(
    (await currentChecksums(cluster.adminUrl(point.database))).map((one) => [keyOf(one.table, one.tenantId), one]),
  );
  const mismatches: Mismatch[] = [];
  for (const [table, tenantId, rows, checksum] of point.entries) {
    const key = keyOf(table, tenantId);
    const one = found.get(key);
    found.delete(key);
    if (one?.rows === rows && one.checksum === checksum) continue;
    mismatches.push({ table, tenantId, expected: { rows, checksum }, found: stateOf(one) });
  }
  for (const one of found.values())
    mismatches.push({ table: one.table, tenantId: one.tenantId, expected: null, found: stateOf(one) });
  return { entries: point.entries.length, mismatches };
}

const stateOf = (one: TableChecksum | undefined): EntryState =>
  one ? { rows: one.rows, checksum: one.checksum } : null;
