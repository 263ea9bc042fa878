import { StartupError } from '../common/errors';
import { markRestorePoint } from '../database/restore-mark';
import { BACKUP_LOGIN } from './backup-login';
import type { Moment } from './engine';
import { NameTakenError } from './repository/repository';
import type { SealedNotes } from './repository/sealed-notes';

/** A place in the write-ahead log with a name, as it lies in the repository. */
export interface RestorePoint {
  name: string;
  /** When it was made. */
  at: Date;
  lsn: string;
  timeline: number;
}

type StoredPoint = Omit<RestorePoint, 'at'> & { at: string };

const PREFIX = 'points/';
/** PostgreSQL takes 63 bytes; what begins with `verify-` is a verification point's. */
const NAME = /^(?!verify-)[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/**
 * Names this place in the log, for a restore to exactly here.
 * @param url of the backup login
 * @throws StartupError when the name will not do, is taken, or the login may not
 */
export async function createRestorePoint(notes: SealedNotes, url: string, name: string): Promise<RestorePoint> {
  if (!NAME.test(name))
    throw new StartupError(
      "A restore point's name is 1 to 63 letters, digits, dots, dashes and underscores, and does not begin with verify-.",
    );
  if (await readRestorePoint(notes, name)) throw nameTaken(name);
  const point = await markRestorePoint(url, BACKUP_LOGIN, name);
  try {
    await notes.put(`${PREFIX}${name}`, point);
  } catch (error) {
    throw error instanceof NameTakenError ? nameTaken(name) : error;
  }
  return point;
}

/** The oldest first. */
export async function listRestorePoints(notes: SealedNotes): Promise<RestorePoint[]> {
  const names = await notes.list(PREFIX);
  const points = await Promise.all(names.map((name) => readRestorePoint(notes, name.slice(PREFIX.length))));
  return points.filter((point) => point !== undefined).toSorted((a, b) => a.at.getTime() - b.at.getTime());
}

export async function readRestorePoint(notes: SealedNotes, name: string): Promise<RestorePoint | undefined> {
  const stored = NAME.test(name) ? await notes.read<StoredPoint>(`${PREFIX}${name}`) : undefined;
  return stored && { ...stored, at: new Date(stored.at) };
}

/** Where the moment's restore point lies; undefined: it is not one. @throws StartupError when nobody has made it */
export async function pointOf(moment: Moment, notes: SealedNotes): Promise<RestorePoint | undefined> {
  if (moment.kind !== 'point') return undefined;
  const point = await readRestorePoint(notes, moment.name);
  if (!point) throw new StartupError(`There is no restore point ${moment.name}. See: tenantry restore-point list`);
  return point;
}

/** Removes the points that lie before everything that can still be restored. @returns their names */
export async function forgetRestorePoints(notes: SealedNotes, before: Date): Promise<string[]> {
  const outlived = (await listRestorePoints(notes)).filter(({ at }) => at < before);
  for (const { name } of outlived) await notes.remove(`${PREFIX}${name}`);
  return outlived.map(({ name }) => name);
}

const nameTaken = (name: string): StartupError => new StartupError(`There is a restore point ${name} already.`);
