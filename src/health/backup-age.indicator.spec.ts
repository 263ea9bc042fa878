import { HealthIndicatorService } from '@nestjs/terminus';
import type { BackupState } from '../backups/backup-catalogue';
import { BackupWatch } from '../backups/backup-watch';
import { Clock } from '../common/clock';
import { BackupAgeIndicator } from './backup-age.indicator';

const NOW = new Date('2026-11-23T10:12:03.120Z');
const NEWEST = new Date('2026-11-23T02:00:03.120Z');
const SCHEDULE = { backups: '0 2 * * *', drills: undefined, receivesLog: true, keep: 7, keepDays: 7 };
const COVERAGE = { from: new Date('2026-11-16T02:00:41Z'), to: NOW };

class FixedClock extends Clock {
  override now(): Date {
    return NOW;
  }
}

function check(over: Partial<BackupState> = {}, readAt = NOW): object {
  const watch = new BackupWatch(SCHEDULE);
  const state: BackupState = {
    observedAt: NOW,
    instance: 'a:1',
    engine: 'native',
    place: '/srv/backups',
    surveyedAt: NOW,
    repositoryError: null,
    backups: 7,
    newestBackupId: 'b',
    newestBackupAt: NEWEST,
    coverageFrom: COVERAGE.from,
    coverageTo: COVERAGE.to,
    gap: null,
    gapAt: null,
    receiverUp: true,
    walLagBytes: 5_242_880,
    ...over,
  };
  const runs = { newest: {}, failuresInARow: 0 };
  watch.overview = { readAt, state, runs, drills: { newest: null, lastSuccessAt: null } };
  return new BackupAgeIndicator(new HealthIndicatorService(), watch, new FixedClock()).check().backup_age as object;
}

describe('the age of the newest backup', () => {
  it('is up while all is well', () => {
    expect(check()).toEqual({
      status: 'up',
      newestBackupAt: NEWEST,
      ageSeconds: 29_520,
      nextBackupAt: new Date('2026-11-24T02:00:00Z'),
      coverage: COVERAGE,
      walLagBytes: 5_242_880,
      problems: [],
    });
  });

  it('says so when it lies in the future', () => {
    expect(check({ newestBackupAt: new Date('2031-01-01T00:00:00Z') })).toMatchObject({
      status: 'degraded',
      problems: ['The newest backup is dated 2031-01-01T00:00:00.000Z, in the future: a clock was wrong.'],
    });
  });

  it('is degraded, and never down, with what is wrong; no word of where backups lie', () => {
    const found = check({ repositoryError: 'the directory /srv/backups is gone', gap: 'x is missing.', backups: 0 });
    expect(found).toMatchObject({
      status: 'degraded',
      problems: ['Backups cannot be read.', 'There is no backup yet.', 'Write-ahead log is lost: x is missing.'],
    });
    expect(JSON.stringify(found)).not.toContain('/srv');
  });

  it('is degraded when it could not be read for a minute', () => {
    expect(check({}, new Date(NOW.getTime() - 61_000))).toEqual({ status: 'degraded', message: 'cannot be read' });
  });

  it('says when the application has nothing to do with backups', () => {
    const watch = new BackupWatch(undefined);
    const indicator = new BackupAgeIndicator(new HealthIndicatorService(), watch, new FixedClock());
    expect(indicator.check().backup_age).toEqual({ status: 'up', message: 'not configured' });
  });

  it('judges nothing of what a provider keeps', () => {
    expect(check({ engine: 'external', backups: 0, newestBackupAt: null })).toMatchObject({
      status: 'up',
      problems: [],
    });
  });
});
