import { believable, dueBackup, expectedAt, isDrillDue, mustWait, nextTime, retryDelay } from './due-backup';

const DAILY = '0 2 * * *';
const at = (text: string): Date => new Date(`2026-11-${text}Z`);
const due = (newest: Date | undefined, now: Date, gapAt?: Date): string | undefined =>
  dueBackup({ schedule: DAILY, newest, gapAt, now });

describe('a backup', () => {
  it('is due at its time, in UTC, and not before', () => {
    expect(due(at('22T02:00:00'), at('23T01:59:59'))).toBeUndefined();
    expect(due(at('22T02:00:00'), at('23T02:00:00'))).toBe('schedule');
    expect(due(at('23T02:00:00'), at('23T02:00:05'))).toBeUndefined(); // just taken
  });

  it('is caught up with once, however long nothing ran', () => {
    expect(due(at('12T02:00:00'), at('23T09:00:00'))).toBe('catch-up');
    expect(due(at('23T09:00:00'), at('23T09:05:00'))).toBeUndefined();
  });

  it('is due at once where there is none, or where log is missing', () => {
    expect(due(undefined, at('23T09:00:00'))).toBe('first');
    expect(due(at('23T02:00:00'), at('23T09:00:00'), at('23T08:59:00'))).toBe('gap');
  });

  it('is never due where others take them, and expected from them each day', () => {
    expect(
      dueBackup({ schedule: undefined, newest: undefined, gapAt: at('23T02:00:00'), now: at('23T02:00:00') }),
    ).toBe(undefined);
    expect(expectedAt(undefined, at('22T14:00:00'))).toEqual(at('23T14:00:00'));
    expect(expectedAt('0 2 * * 0', at('22T02:00:10'))).toEqual(at('29T02:00:00')); // Sundays
  });

  it('is due although one was dated in the future, by a clock that was wrong, and then at its times', () => {
    const wrong = { startedAt: new Date('2031-01-01T00:00:00Z') };
    const right = { startedAt: at('23T09:00:00') };
    expect(due(wrong.startedAt, at('23T09:00:00'))).toBe('catch-up');
    expect(due(at('23T09:02:00'), at('23T09:00:00'))).toBeUndefined(); // another instance's clock
    expect(believable([right, wrong], at('23T09:05:00'))).toEqual([right]);
    expect(believable([wrong], at('23T09:05:00'))).toEqual([wrong]);
  });

  it('does not wait for the time of a failure that a wrong clock has noted', () => {
    expect(mustWait(at('23T08:59:30'), 1, at('23T09:00:00'))).toBe(true);
    expect(mustWait(at('23T08:58:30'), 1, at('23T09:00:00'))).toBe(false);
    expect(mustWait(new Date('2031-01-01T00:00:00Z'), 1, at('23T09:00:00'))).toBe(false);
    expect(mustWait(undefined, 0, at('23T09:00:00'))).toBe(false);
  });

  it('that fails is tried again later and later, and never given up', () => {
    expect([0, 1, 2, 3, 6, 1_000].map((failures) => retryDelay(failures) / 60_000)).toEqual([0, 1, 2, 4, 30, 30]);
  });
});

describe('a drill', () => {
  const isDue = (last: Date | undefined, first: Date | undefined, now: Date): boolean =>
    isDrillDue('30 3 * * *', last, first, now);

  it('is due at its time, the first time after the first backup', () => {
    expect(isDue(undefined, undefined, at('23T04:00:00'))).toBe(false);
    expect(isDue(undefined, at('23T12:00:00'), at('24T03:29:59'))).toBe(false);
    expect(isDue(undefined, at('23T12:00:00'), at('24T03:30:00'))).toBe(true);
    expect(isDue(at('24T03:30:00'), at('23T12:00:00'), at('24T03:45:00'))).toBe(false);
    expect(isDrillDue(undefined, undefined, at('01T00:00:00'), at('24T03:45:00'))).toBe(false);
  });
});

it('knows no summer time', () => {
  // Berlin skips an hour on 29 March 2026.
  expect(nextTime('30 2 * * *', new Date('2026-03-28T12:00:00Z'))).toEqual(new Date('2026-03-29T02:30:00Z'));
});
