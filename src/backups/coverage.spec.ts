import { formatLsn } from '../database/wal-stream';
import { OutsideCoverageError } from './engine';
import { type BaseBackup, coverageOf, type Holdings, missingLogOf, type Timeline, windowFor } from './coverage';
import { nameOfSegment } from './wal-segments';

const SEGMENT = 16 * 1024 * 1024;
const minute = (n: number): Date => new Date(Date.UTC(2026, 10, 23, 10, n));

/** One commit a minute, one segment a minute: segment n ends with the commit of minute n. */
function timeline(
  id: number,
  from: number,
  to: number,
  options: Partial<Timeline> & { without?: number[] } = {},
): Timeline {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i).filter(
    (n) => !options.without?.includes(n),
  );
  const segments = numbers.map((n) => {
    const segment = { timeline: id, number: BigInt(n) };
    return { ...segment, committedAt: minute(n) };
  });
  return { timeline: id, segments, history: options.history ?? [] };
}
function backup(at: number, line = 1): BaseBackup {
  const position = (n: number) => ({ lsn: formatLsn(BigInt(Math.round(n * SEGMENT))), timeline: line });
  return {
    id: `backup-${at}-${line}`,
    finishedAt: minute(at + 1).toISOString(),
    start: position(at),
    end: position(at + 0.5),
  };
}
const holdings = (backups: BaseBackup[], timelines: Timeline[]): Holdings => ({
  segmentBytes: SEGMENT,
  backups,
  timelines,
});
const at = (n: number) => ({ moment: { kind: 'time', at: minute(n) } }) as const;
const latest = { moment: { kind: 'latest' } } as const;

describe('what can be restored', () => {
  it('reaches from the end of a backup to the last archived commit', () => {
    const [window] = coverageOf(holdings([backup(5)], [timeline(1, 1, 20)]));
    expect(window).toMatchObject({ from: minute(6), to: minute(20), gap: undefined });
    expect(window!.segments.map(({ number }) => Number(number))).toEqual([
      5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    ]);
  });

  it('ends at a gap, which is named', () => {
    const [window] = coverageOf(holdings([backup(5)], [timeline(1, 1, 20, { without: [10] })]));
    expect(window).toMatchObject({ to: minute(9), gap: '00000001000000000000000A' });
  });

  it('is no moment that the clock had twice, since PostgreSQL would leave out what came after the first', () => {
    const line = timeline(1, 1, 20);
    // For a minute the server's clock was an hour ahead.
    const segments = line.segments.map((one) => (one.number === 10n ? { ...one, committedAt: minute(70) } : one));
    const wrong = holdings([backup(5)], [{ ...line, segments }]);
    expect(() => windowFor(at(15), wrong)).toThrow(/is not one moment: the server's clock was set back/);
    expect(windowFor(at(9), wrong).backup.id).toBe('backup-5-1');
    expect(windowFor(latest, wrong).to).toEqual(minute(20));
    // A backup that was taken after it knows nothing of it.
    const later = holdings([backup(5), backup(12)], [{ ...line, segments }]);
    expect(windowFor(at(15), later).backup.id).toBe('backup-12-1');
  });

  it('is nothing for a backup whose own log is missing', () => {
    expect(coverageOf(holdings([backup(5)], [timeline(1, 6, 20)]))).toEqual([]);
    expect(coverageOf(holdings([backup(5)], []))).toEqual([]);
    expect(missingLogOf(backup(5), holdings([], [timeline(1, 6, 20)]))).toBe('000000010000000000000005');
    expect(missingLogOf(backup(5), holdings([], []))).toBe('000000010000000000000005');
    expect(missingLogOf(backup(5), holdings([], [timeline(1, 5, 5)]))).toBeUndefined();
  });

  it('is taken from the newest backup before the moment', () => {
    const all = holdings([backup(2), backup(8), backup(15)], [timeline(1, 1, 20)]);
    expect(windowFor(at(12), all).backup.id).toBe('backup-8-1');
    expect(windowFor(at(5), all).backup.id).toBe('backup-2-1');
    expect(windowFor(latest, all).backup.id).toBe('backup-15-1');
  });

  it.each([
    ['before the first backup was over', 2],
    ['after the last commit', 21],
  ])('refuses a moment %s, and lists the windows', (_, n) => {
    const all = holdings([backup(2)], [timeline(1, 1, 20)]);
    const refused = (): unknown => windowFor(at(n), all);
    expect(refused).toThrow(OutsideCoverageError);
    expect(refused).toThrow('2026-11-23T10:03:00.000Z … 2026-11-23T10:20:00.000Z (backup backup-2-1, timeline 1)');
  });

  describe('after a restore, which began a new timeline', () => {
    // At minute 20 the cluster was restored to minute 10 and went on from there, by the clock at minute 21.
    const left = { timeline: 1, until: BigInt(11 * SEGMENT - 100) };
    const second: Timeline = {
      ...timeline(2, 10, 15, { history: [left] }),
      segments: timeline(2, 10, 15).segments.map((s) => ({ ...s, committedAt: minute(Number(s.number) + 11) })),
    };
    const all = holdings([backup(5)], [timeline(1, 1, 20), second]);

    it('takes moments before it from the old timeline, those after it from the new one', () => {
      expect(windowFor(at(8), all)).toMatchObject({ timeline: 1 });
      expect(windowFor(at(18), all)).toMatchObject({ timeline: 1 });
      expect(windowFor(at(25), all)).toMatchObject({ timeline: 2 });
      expect(windowFor(latest, all)).toMatchObject({ timeline: 2 });
    });

    it('takes moments before the first commit that is known of the new one from it, too, where its beginning is known', () => {
      const moment = (seconds: number) =>
        ({ moment: { kind: 'time', at: new Date(minute(20).getTime() + seconds * 1000) } }) as const;
      expect(() => windowFor(moment(30), all)).toThrow(OutsideCoverageError); // whose it was cannot be told
      const known = { ...all, timelines: [all.timelines[0]!, { ...second, begunAt: moment(10).moment.at }] };
      expect(windowFor(moment(30), known)).toMatchObject({ timeline: 2 });
      expect(() => windowFor(moment(5), known)).toThrow(OutsideCoverageError);
    });

    it('leads to a restore point along a timeline that it lies on', () => {
      const to = (line: number, n: number, segment: number) => {
        const point = {
          name: 'p',
          at: minute(n),
          lsn: formatLsn(BigInt(Math.round(segment * SEGMENT))),
          timeline: line,
        };
        return windowFor({ moment: { kind: 'point', name: 'p' } }, all, point);
      };
      expect(to(1, 8, 8.5)).toMatchObject({ timeline: 2 }); // both lead to it
      expect(to(1, 18, 18.5)).toMatchObject({ timeline: 1 }); // after the new one had left it
      expect(to(2, 25, 14.5)).toMatchObject({ timeline: 2 });
      expect(() => to(2, 30, 19.5)).toThrow('The restore point p cannot be restored to.');
      expect(() => to(1, 3, 3.5)).toThrow(OutsideCoverageError);
    });

    it('replays the old timeline up to where it was left, and the new one from there', () => {
      const names = windowFor(at(25), all).segments.map((one) => nameOfSegment(one, SEGMENT).replaceAll(/0{4,}/g, '…'));
      expect(names).toEqual(['…1…5', '…1…6', '…1…7', '…1…8', '…1…9', '…2…A', '…2…B', '…2…C', '…2…D', '…2…E', '…2…F']);
    });
  });
});
