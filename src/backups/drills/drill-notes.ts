import type { BackupEngine, BackupSummary } from '../engine';
import type { SealedNotes } from '../repository/sealed-notes';
import type { DrillReport } from './drill-report';

/** `drills/<id>.<backup>.<status>`: a listing alone tells which backups were proved. Ids sort by time. */
const NAME = /^drills\/([0-9a-f-]{36})\.(.+)\.(succeeded|failed)$/;
const PREFIX = 'drills/';
/** So many of the newest are kept. */
const MAX_NOTES = 400;

/** Keeps what a drill has shown in the repository: what protects backups needs no database. */
export async function noteDrill(notes: SealedNotes, report: DrillReport): Promise<void> {
  await notes.put(`${PREFIX}${report.id}.${report.backupId ?? 'none'}.${report.status}`, report);
  const names = await notes.list(PREFIX);
  for (const name of names.slice(0, -MAX_NOTES)) await notes.remove(name);
}

/**
 * Which backups must not be pruned, whatever the rules say, so that one whose drill has failed is never the only one kept: the newest
 * that a drill has passed; where there is none, the newest that has not failed one.
 */
export async function provedBackups(
  engine: BackupEngine,
  notes: SealedNotes,
): Promise<(backup: Pick<BackupSummary, 'id'>) => boolean> {
  const last = new Map<string, string>();
  for (const name of await notes.list(PREFIX)) {
    const [, , backupId, status] = NAME.exec(name) ?? [];
    if (backupId && status) last.set(backupId, status);
  }
  const newestFirst = (await engine.listBackups()).toReversed();
  const kept =
    newestFirst.find(({ id }) => last.get(id) === 'succeeded') ??
    newestFirst.find(({ id }) => last.get(id) !== 'failed');
  return ({ id }) => id === kept?.id;
}
