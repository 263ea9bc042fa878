import { formatLsn } from '../../database/wal-stream';
import type { BackupManifest } from './backup-manifest';
import type { RetentionRules } from '../engine';
import type { NativeHoldings } from './native-holdings';
import { expiredOf } from './retention';
import { nameOfSegment } from '../wal-segments';

const SEGMENT = 16 * 1024 * 1024;
const NOW = new Date(Date.UTC(2026, 10, 23));
const daysAgo = (days: number): string => new Date(NOW.getTime() - days * 86_400_000).toISOString();

/** Ten segments a day; day 0 is today. Position: the days before today, from the 100th on. */
const positionAt = (days: number): bigint => BigInt(Math.round((100 - days) * 10 * SEGMENT));
function backup(days: number, timeline = 1): BackupManifest {
  const position = { lsn: formatLsn(positionAt(days)), timeline };
  return {
    format: 1,
    id: `${days} days ago`,
    systemId: '1',
    serverMajor: 18,
    startedAt: daysAgo(days),
    finishedAt: daysAgo(days),
    start: position,
    end: position,
    keyId: undefined,
    clusterBytes: 1,
    files: [],
  };
}
function holdings(backups: BackupManifest[], lines = [1]): NativeHoldings {
  const timelines = lines.map((timeline) => ({
    timeline,
    history: [],
    segments: Array.from({ length: 1000 }, (_, n) => {
      const segment = { timeline, number: BigInt(n) };
      return { ...segment, name: nameOfSegment(segment, SEGMENT), file: `${timeline}/${n}`, committedAt: undefined };
    }),
  }));
  return { segmentBytes: SEGMENT, backups, timelines };
}
const expired = (all: NativeHoldings, rules: RetentionRules) => {
  const { backups, segments } = expiredOf(all, rules, NOW);
  return { backups: backups.map(({ id }) => id), segments: segments.length };
};
const daily = (count: number) => Array.from({ length: count }, (_, index) => backup(index + 0.5));

describe('what a repository may forget', () => {
  it('is what no moment of the promised days needs: the newest backup before them is kept, with its log', () => {
    expect(expired(holdings(daily(10)), { keep: 1, days: 7 })).toEqual({
      backups: ['8.5 days ago', '9.5 days ago'],
      segments: 1000 - 75, // from the backup of 7.5 days ago on
    });
  });

  it('is nothing among so many of the newest, however old they are', () => {
    expect(expired(holdings(daily(10)), { keep: 20, days: 1 }).backups).toEqual([]);
    expect(expired(holdings(daily(10)), { keep: 3, days: 0 }).backups).toHaveLength(7);
  });

  it('is never the last backup, nor its log', () => {
    expect(expired(holdings([backup(80)]), { keep: 0, days: 0 })).toEqual({ backups: [], segments: 200 });
  });

  it('is no log at all where there is no backup yet', () => {
    expect(expired(holdings([]), { keep: 1, days: 1 })).toEqual({ backups: [], segments: 0 });
  });

  it('is an older timeline as a whole once no kept backup is of it', () => {
    const all = holdings([backup(20), backup(3, 2), backup(1, 2)], [1, 2]);
    expect(expired(all, { keep: 1, days: 2 })).toEqual({ backups: ['20 days ago'], segments: 1000 + 970 });
  });

  it('is no log of a timeline to which a kept backup of the one before it leads', () => {
    const all = holdings([backup(20), backup(3, 2), backup(1, 2)], [1, 2]);
    // Where the timeline began is not known, or it was after the backup.
    expect(expired(all, { keep: 3, days: 2 })).toEqual({ backups: [], segments: 800 });
    expect(expired(leftAt(4, all), { keep: 3, days: 2 })).toEqual({ backups: [], segments: 800 });
    // A backup of what was left behind leads to its own timeline only.
    expect(expired(leftAt(30, all), { keep: 3, days: 2 })).toEqual({ backups: [], segments: 800 + 970 });
  });

  it('is not the backup that leads to a timeline, although one of what was left behind is younger', () => {
    // Four days ago the cluster was restored to five days ago; the next backup is of three days ago.
    const all = leftAt(5, committing(holdings([backup(6), backup(4.5), backup(3, 2), backup(1, 2)], [1, 2])));
    const begun = { ...all.timelines[1]!, begunAt: new Date(daysAgo(4)) };
    const found = expired({ ...all, timelines: [all.timelines[0]!, begun] }, { keep: 1, days: 3.8 });
    expect(found).toEqual({ backups: [], segments: 940 });
  });
});

/** The second timeline has left the first so many days ago. */
function leftAt(days: number, all: NativeHoldings): NativeHoldings {
  const history = [{ timeline: 1, until: positionAt(days) }];
  return { ...all, timelines: all.timelines.map((line) => (line.timeline === 2 ? { ...line, history } : line)) };
}

/** Each segment has a commit at its end. */
function committing(all: NativeHoldings): NativeHoldings {
  const timelines = all.timelines.map((line) => ({
    ...line,
    segments: line.segments.map((segment) => ({
      ...segment,
      committedAt: new Date(daysAgo(100 - (Number(segment.number) + 1) / 10)),
    })),
  }));
  return { ...all, timelines };
}
