import type { BackupSchedule } from '../../config/backup-schedule';
import { nextTime } from '../due-backup';

/** Where others than the application take backups, they are expected so often. */
const DAILY = '0 2 * * *';
const DAY_MS = 86_400_000;
/** A backup and the removal of old ones, which follows it, are over after so long. */
const JOB_MS = 6 * 3_600_000;

/**
 * From when on no backup holds what was erased at `erasedAt`, nor does the log: then a backup from after it is older than the
 * promised days, and enough newer ones are there, so that what is from before it is no longer kept (native/retention.ts). One
 * backup more than needed is waited for: it may be late.
 */
export function backupsHoldUntil(
  { backups = DAILY, keep, keepDays }: Pick<BackupSchedule, 'backups' | 'keep' | 'keepDays'>,
  erasedAt: Date,
): Date {
  const firstAfter = nextTime(backups, erasedAt);
  const byDays = nextTime(backups, new Date(firstAfter.getTime() + keepDays * DAY_MS));
  let byCount = firstAfter;
  for (let taken = 1; taken <= keep; taken += 1) byCount = nextTime(backups, byCount);
  return new Date(Math.max(byDays.getTime(), byCount.getTime()) + JOB_MS);
}
