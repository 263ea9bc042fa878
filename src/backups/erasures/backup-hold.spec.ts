import { expiredOf } from '../native/retention';
import type { BackupManifest } from '../native/backup-manifest';
import { nextTime } from '../due-backup';
import { backupsHoldUntil } from './backup-hold';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** More than any of the rules below looks back. */
const PAST_MS = 65 * DAY_MS;

/** When the last backup from before `erasedAt` goes, where one is taken at each time of the schedule, takes an hour, and is followed by a pruning. */
function simulated(schedule: string, rules: { keep: number; days: number }, erasedAt: Date): Date {
  let now = new Date(erasedAt.getTime() - PAST_MS);
  let backups: BackupManifest[] = [];
  for (;;) {
    const startedAt = nextTime(schedule, now);
    now = startedAt;
    const finishedAt = new Date(startedAt.getTime() + HOUR_MS);
    // What of a manifest decides.
    const backup = {
      id: startedAt.toISOString(),
      finishedAt: finishedAt.toISOString(),
      start: { timeline: 1, lsn: '0/0' },
    };
    backups = [...backups, backup as BackupManifest];
    const { backups: expired } = expiredOf({ backups, timelines: [], segmentBytes: 1 }, rules, finishedAt);
    backups = backups.filter((one) => !expired.includes(one));
    if (startedAt > erasedAt && backups.every(({ id }) => new Date(id) > erasedAt)) return finishedAt;
  }
}

describe('backupsHoldUntil', () => {
  it.each([
    ['0 2 * * *', 7, 7],
    ['0 2 * * *', 1, 30],
    ['0 2 * * *', 60, 7],
    ['0 */6 * * *', 3, 0],
    ['0 3 * * 0', 4, 14],
  ])(
    'is not before the last backup that holds it has gone, nor much later: %s, %i backups, %i days',
    (schedule, keep, days) => {
      const erasedAt = new Date('2026-11-23T10:15:00Z');
      const until = backupsHoldUntil({ backups: schedule, keep, keepDays: days }, erasedAt).getTime();
      const gone = simulated(schedule, { keep, days }, erasedAt).getTime();
      const interval =
        nextTime(schedule, nextTime(schedule, erasedAt)).getTime() - nextTime(schedule, erasedAt).getTime();
      expect(until).toBeGreaterThanOrEqual(gone);
      expect(until).toBeLessThanOrEqual(gone + interval + 6 * HOUR_MS);
    },
  );
});
