import { CronTime } from 'cron';
import type { RunTrigger } from './backup-catalogue';

/** What is taken later than this after its time is said to catch up. */
const PUNCTUAL_MS = 10 * 60_000;
/** Where others than the application take backups, they are expected so often. */
const DAY_MS = 86_400_000;
const FIRST_RETRY_MS = 60_000;
const LAST_RETRY_MS = 30 * 60_000;
/** Clocks of instances may differ by so much; what is dated later than this was taken while a clock was wrong. */
const SKEW_MS = 3_600_000;

/** Was it dated by a clock that was wrong? */
export const isInFuture = (at: Date, now: Date): boolean => at.getTime() - now.getTime() > SKEW_MS;

/** Those whose dates can be believed, so that one from the future does not keep others from being taken; where none is, all. */
export function believable<Backup extends { startedAt: Date }>(
  backups: readonly Backup[],
  now: Date,
): readonly Backup[] {
  const found = backups.filter(({ startedAt }) => !isInFuture(startedAt, now));
  return found.length > 0 ? found : backups;
}

/** The first time after a moment that a cron expression names, in UTC. */
export function nextTime(schedule: string, after: Date): Date {
  return new CronTime(schedule, 'UTC').getNextDateFrom(after).toJSDate();
}

interface Situation {
  /** A cron expression; undefined: the application takes none by itself. */
  schedule: string | undefined;
  /** When the newest backup in the repository began; undefined: there is none. */
  newest: Date | undefined;
  /** Since when log has been missing; undefined: it is not. */
  gapAt: Date | undefined;
  now: Date;
}

/** Why a backup must be taken now; undefined: none must. Whatever time has passed in between, it is one. */
export function dueBackup({ schedule, newest, gapAt, now }: Situation): RunTrigger | undefined {
  if (schedule === undefined) return undefined;
  if (!newest) return 'first';
  if (gapAt) return 'gap';
  if (isInFuture(newest, now)) return 'catch-up';
  const due = nextTime(schedule, newest);
  if (due > now) return undefined;
  return now.getTime() - due.getTime() > PUNCTUAL_MS ? 'catch-up' : 'schedule';
}

/** Must the newest backup be proved now? So it is at each time of the schedule, the first time after the first backup. */
export function isDrillDue(
  schedule: string | undefined,
  last: Date | undefined,
  firstBackup: Date | undefined,
  now: Date,
): boolean {
  const since = last ?? firstBackup;
  return schedule !== undefined && firstBackup !== undefined && since !== undefined && nextTime(schedule, since) <= now;
}

/** When the next backup is expected after the newest. */
export function expectedAt(schedule: string | undefined, newest: Date): Date {
  return schedule === undefined ? new Date(newest.getTime() + DAY_MS) : nextTime(schedule, newest);
}

/** Must the next attempt wait, after so many failures in a row? Not for a time that a wrong clock has noted. */
export function mustWait(failedAt: Date | null | undefined, failures: number, now: Date, firstMs?: number): boolean {
  const sinceMs = now.getTime() - (failedAt?.getTime() ?? 0);
  return sinceMs >= -SKEW_MS && sinceMs < retryDelay(failures, firstMs);
}

/** How long, in milliseconds, to wait after so many failures in a row: 1, 2, 4 … 30 minutes. */
export function retryDelay(failures: number, firstMs = FIRST_RETRY_MS): number {
  return failures === 0 ? 0 : Math.min(firstMs * 2 ** Math.min(failures - 1, 16), LAST_RETRY_MS);
}
