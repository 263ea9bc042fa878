import { CronTime } from 'cron';

/** When the application itself backs up and drills. Times are UTC: no hour is skipped or comes twice. */
export interface BackupSchedule {
  /** A cron expression; undefined: it does not. */
  backups: string | undefined;
  /** A cron expression; undefined: it does not. */
  drills: string | undefined;
  /** Does it receive the write-ahead log? */
  receivesLog: boolean;
  /** What is kept: so many of the newest backups, and any moment of so many days. */
  keep: number;
  keepDays: number;
}

const OFF = 'off';
const DEFAULTS = { BACKUP_SCHEDULE: '0 2 * * *', DRILL_SCHEDULE: '30 3 * * *' };
const DEFAULT_KEEP = 7;
const DEFAULT_KEEP_DAYS = 7;

/** @param problems takes what is wrong, by the variable's name */
export function readBackupSchedule(values: Readonly<Record<string, string>>, problems: string[]): BackupSchedule {
  const scheduleOf = (name: keyof typeof DEFAULTS): string | undefined => {
    const text = values[name] ?? DEFAULTS[name];
    if (text === OFF) return undefined;
    if (!isCron(text)) problems.push(`${name} must be a cron expression of five fields, such as 0 2 * * *, or off`);
    return text;
  };
  const numberOf = (name: string, least: number, otherwise: number): number => {
    const text = values[name] ?? String(otherwise);
    if (!/^\d{1,5}$/.test(text) || Number(text) < least)
      problems.push(`${name} must be a whole number, ${least} or more`);
    return Number(text);
  };
  const receive = values.BACKUP_RECEIVE ?? 'on';
  if (receive !== 'on' && receive !== OFF) problems.push('BACKUP_RECEIVE must be on or off');
  return {
    backups: scheduleOf('BACKUP_SCHEDULE'),
    drills: scheduleOf('DRILL_SCHEDULE'),
    receivesLog: receive === 'on',
    keep: numberOf('BACKUP_KEEP', 1, DEFAULT_KEEP),
    keepDays: numberOf('BACKUP_KEEP_DAYS', 0, DEFAULT_KEEP_DAYS),
  };
}

/** A time that never comes (31 February) is none. */
function isCron(text: string): boolean {
  if (text.trim().split(/\s+/).length !== 5) return false;
  try {
    new CronTime(text, 'UTC').getNextDateFrom(new Date());
    return true;
  } catch {
    return false;
  }
}
