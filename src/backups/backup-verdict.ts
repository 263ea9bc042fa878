import type { BackupEnv } from '../config/backup-env';
import type { BackupOverview } from './backup-watch';
import { expectedAt, isInFuture } from './due-backup';

/**
 * A backup is late when it is not there so long after its time: one takes its while, and one that failed is tried again. With the
 * daily schedule the newest is then 26 hours old.
 */
export const LATE_MS = 2 * 3_600_000;
/** The elected instance writes every 15 s; after four times that there is none. */
const SILENT_MS = 60_000;
/** Segments are stored each minute. What is stored lags by this much only when something is wrong. */
const BEHIND_MS = 10 * 60_000;

/** When the next backup is expected; undefined: there is none to reckon from. */
export function nextBackupAt({ state }: BackupOverview, schedule: BackupEnv['schedule']): Date | undefined {
  return state?.newestBackupAt ? expectedAt(schedule.backups, state.newestBackupAt) : undefined;
}

/** What is wrong with backups, in words that name no place; nothing: all is well. The log and ops.backup_runs say why. */
export function problemsOf(overview: BackupOverview, schedule: BackupEnv['schedule'], now: Date): string[] {
  const { state, runs } = overview;
  const since = (then: Date): number => now.getTime() - then.getTime();
  if (!state) return ['No instance looks after backups yet.'];
  const unattended = since(state.observedAt) > SILENT_MS ? ['No instance looks after backups.'] : [];
  if (state.engine === 'external') return unattended; // the provider's, of which nothing is known here
  const next = nextBackupAt(overview, schedule);
  const isBehind = state.receiverUp !== null && state.coverageTo && since(state.coverageTo) > BEHIND_MS;
  const isOfNoUse = state.newestBackupAt && !state.coverageTo && since(state.newestBackupAt) > BEHIND_MS;
  return [
    ...unattended,
    ...(state.repositoryError === null ? [] : ['Backups cannot be read.']),
    ...(state.backups === 0 ? ['There is no backup yet.'] : []),
    ...(next && since(next) > LATE_MS ? [`The newest backup is of ${state.newestBackupAt!.toISOString()}.`] : []),
    ...(state.newestBackupAt && isInFuture(state.newestBackupAt, now)
      ? [`The newest backup is dated ${state.newestBackupAt.toISOString()}, in the future: a clock was wrong.`]
      : []),
    ...(runs.failuresInARow > 0 ? [`${runs.failuresInARow} backup(s) in a row have failed.`] : []),
    ...(state.gap === null ? [] : [`Write-ahead log is lost: ${state.gap}`]),
    ...(state.receiverUp === false ? ['Nobody receives the write-ahead log.'] : []),
    ...(isOfNoUse ? ['The newest backup cannot be restored: the log that belongs to it is not stored.'] : []),
    ...(isBehind ? [`What can be restored ends at ${state.coverageTo!.toISOString()}.`] : []),
  ];
}
