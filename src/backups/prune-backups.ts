import type { BackupEnv } from '../config/backup-env';
import { provedBackups } from './drills/drill-notes';
import type { BackupEngine, RetentionRules } from './engine';
import type { SealedNotes } from './repository/sealed-notes';
import { forgetRestorePoints } from './restore-points';
import { forgetVerificationPoints } from './verification-point';

export interface PruneOptions {
  engine: BackupEngine;
  /** What lies in the repository beside backups. */
  notes: SealedNotes;
  rules: RetentionRules;
  dryRun: boolean;
}

/** BACKUP_KEEP and BACKUP_KEEP_DAYS. */
export const retentionOf = ({ schedule }: BackupEnv): RetentionRules => ({
  keep: schedule.keep,
  days: schedule.keepDays,
});

/**
 * Removes what nothing needs: backups, log, and the points of what is gone. The newest backup that a drill has passed is kept,
 * whatever the rules say: where the newer ones turn out to be bad, there is one that is known to be good.
 * @returns what was, or would be, removed
 */
export async function pruneBackups(options: PruneOptions): Promise<{ backups: string[]; files: number }> {
  const { engine, notes, rules, dryRun } = options;
  const removed = await engine.prune(rules, { dryRun, isProtected: await provedBackups(engine, notes) });
  if (dryRun) return removed;
  const backups = await engine.listBackups();
  await forgetVerificationPoints(
    notes,
    backups.map(({ id }) => id),
  );
  const [first] = await engine.coverage();
  if (first) await forgetRestorePoints(notes, first.from);
  return removed;
}
