import { StartupError } from '../common/errors';
import type { LogPosition } from '../database/backup-stream';
import { parseLsn } from '../database/wal-stream';
import { type CoverageSpan, type Moment, OutsideCoverageError, type RestoreTarget } from './engine';
import type { RestorePoint } from './restore-points';
import { nameOfSegment, numberAt, type WalSegment } from './wal-segments';

/** By less than this, in milliseconds, commits that two connections make at the same time may be out of order. */
const SET_BACK_MS = 1_000;

/** What has to be known of a base backup. */
export interface BaseBackup {
  id: string;
  /** ISO 8601, UTC. */
  finishedAt: string;
  /** A restore replays the log from here… */
  start: LogPosition;
  /** …and is consistent from here on. */
  end: LogPosition;
}

/** What has to be known of a segment of the log. */
export interface StoredSegment extends WalSegment {
  /** A commit at this time is in the log up to this segment's end; undefined when it is not known. */
  committedAt: Date | undefined;
}

/** All that a repository holds of one cluster. */
export interface Holdings<Backup extends BaseBackup = BaseBackup, Segment extends StoredSegment = StoredSegment> {
  segmentBytes: number;
  backups: readonly Backup[];
  timelines: readonly Timeline<Segment>[];
}

export interface Timeline<Segment extends StoredSegment = StoredSegment> {
  timeline: number;
  /** In order. */
  segments: readonly Segment[];
  /** Where this timeline and those before it have left their own forerunners; empty: it is the first. */
  history: readonly { timeline: number; until: bigint }[];
  /** When the server began it; undefined: it is the first, or that is not known. */
  begunAt?: Date | undefined;
}

/** Times that can be restored to: from one base backup, along one timeline. */
export interface CoverageWindow<Backup extends BaseBackup = BaseBackup, Segment extends StoredSegment = StoredSegment> {
  backup: Backup;
  timeline: number;
  history: Timeline['history'];
  from: Date;
  /** The last commit that is archived without a gap. */
  to: Date;
  /** What has to be replayed, in order. */
  segments: readonly Segment[];
  /** The first segment that is missing although later ones are there; undefined: none is. */
  gap: string | undefined;
}

/** Each window of a repository, the oldest first. */
export function coverageOf<Backup extends BaseBackup, Segment extends StoredSegment>({
  segmentBytes,
  backups,
  timelines,
}: Holdings<Backup, Segment>): CoverageWindow<Backup, Segment>[] {
  const windows = timelines.flatMap((timeline) =>
    backups.flatMap((backup) => windowAlong(timeline, backup, timelines, segmentBytes) ?? []),
  );
  return windows.toSorted((a, b) => a.from.getTime() - b.from.getTime() || a.timeline - b.timeline);
}

/** What of a window is told above this engine. */
export const spanOf = ({ backup, timeline, from, to, gap }: CoverageWindow): CoverageSpan => ({
  backupId: backup.id,
  timeline,
  from,
  to,
  gap,
});

/**
 * The window to restore a moment from: along the timeline that was the cluster's at that time, from the newest base backup
 * before it, or from the one that is named.
 * @param point where the moment is one
 * @throws OutsideCoverageError with the windows there are; StartupError when the server's clock had this time twice
 */
export function windowFor<Backup extends BaseBackup, Segment extends StoredSegment>(
  target: RestoreTarget,
  holdings: Holdings<Backup, Segment>,
  point?: RestorePoint,
): CoverageWindow<Backup, Segment> {
  const { moment, backupId } = target;
  const windows = coverageOf(holdings);
  const [best] = windows
    .filter(({ backup }) => backupId === undefined || backup.id === backupId)
    .filter(({ from, to, timeline }) => {
      if (moment.kind === 'latest') return true;
      const line = holdings.timelines.find((one) => one.timeline === timeline)!;
      if (moment.kind === 'time') return from <= moment.at && moment.at <= to && begunBefore(moment.at, line);
      return point !== undefined && from <= point.at && point.at <= to && leadsTo(point, line);
    })
    .toSorted((a, b) => b.timeline - a.timeline || b.from.getTime() - a.from.getTime());
  if (!best) throw new OutsideCoverageError(target, windows.map(spanOf));
  if (moment.kind === 'time') assertOneMoment(moment.at, best);
  return best;
}

/** PostgreSQL stops at the first commit that is later: where its clock was set back after that, all that follows would be left out. */
function assertOneMoment(at: Date, { segments }: CoverageWindow): void {
  const commits = segments.flatMap(({ committedAt }) => committedAt ?? []);
  const first = commits.findIndex((commit) => commit > at);
  if (first < 0) return;
  const again = commits.find((commit, place) => place > first && commit <= at && isSetBack(commits[first]!, commit));
  if (!again) return;
  throw new StartupError(
    `${at.toISOString()} is not one moment: the server's clock was set back from ${commits[first]!.toISOString()} to ` +
      `${again.toISOString()} or earlier. Restore to a later moment, with --latest or to a restore point.`,
  );
}

const isSetBack = (from: Date, to: Date): boolean => from.getTime() - to.getTime() > SET_BACK_MS;

/** The first segment that a backup itself needs, and that is not there: nothing can be restored from it. Undefined: all are. */
export function missingLogOf(
  { start, end }: BaseBackup,
  { segmentBytes, timelines }: Pick<Holdings, 'segmentBytes' | 'timelines'>,
): string | undefined {
  const { timeline } = start;
  const there = new Set(timelines.find((one) => one.timeline === timeline)?.segments.map(({ number }) => number));
  const last = numberAt(parseLsn(end.lsn) - 1n, segmentBytes);
  for (let number = numberAt(parseLsn(start.lsn), segmentBytes); number <= last; number += 1n)
    if (!there.has(number)) return nameOfSegment({ timeline, number }, segmentBytes);
  return undefined;
}

/** What has to be replayed up to a moment: PostgreSQL stops when it meets the first commit after it. */
export function segmentsUpTo<Segment extends StoredSegment>(
  moment: Exclude<Moment, { kind: 'point' }>,
  { segments }: CoverageWindow<BaseBackup, Segment>,
): readonly Segment[] {
  if (moment.kind === 'latest') return segments;
  const last = segments.findIndex(({ committedAt }) => committedAt && committedAt > moment.at);
  return last < 0 ? segments : segments.slice(0, last + 1);
}

/** Whether the point lies on this timeline, or on a forerunner before that was left. */
function leadsTo({ timeline, lsn }: RestorePoint, line: Timeline): boolean {
  return (
    line.timeline === timeline || line.history.some((leg) => leg.timeline === timeline && parseLsn(lsn) <= leg.until)
  );
}

/** When a timeline became the cluster's own; before that its forerunner was. Its first known commit is later at most. Undefined: not known. */
export const begunAtOf = ({ segments, begunAt }: Timeline): Date | undefined =>
  begunAt ?? segments.find(({ committedAt }) => committedAt)?.committedAt;

function begunBefore(at: Date, line: Timeline): boolean {
  if (line.history.length === 0) return true;
  const begunAt = begunAtOf(line);
  return begunAt !== undefined && begunAt <= at;
}

function windowAlong<Backup extends BaseBackup, Segment extends StoredSegment>(
  timeline: Timeline<Segment>,
  backup: Backup,
  all: readonly Timeline<Segment>[],
  segmentBytes: number,
): CoverageWindow<Backup, Segment> | undefined {
  const legs = [...timeline.history, { timeline: timeline.timeline, until: undefined }];
  const firstLeg = legs.findIndex((leg) => leg.timeline === backup.start.timeline);
  // Taken on a timeline that this one does not descend from, or after it had been left.
  if (firstLeg < 0) return undefined;
  const { until } = legs[firstLeg]!;
  if (until !== undefined && parseLsn(backup.end.lsn) > until) return undefined;

  const segments: Segment[] = [];
  let number = numberAt(parseLsn(backup.start.lsn), segmentBytes);
  let gap: string | undefined;
  for (const leg of legs.slice(firstLeg)) {
    const known = all.find((one) => one.timeline === leg.timeline)?.segments ?? [];
    const byNumber = new Map(known.map((segment) => [segment.number, segment]));
    // The segment in which a timeline was left is whole in the next one.
    const end = leg.until === undefined ? undefined : numberAt(leg.until, segmentBytes);
    for (; end === undefined || number < end; number += 1n) {
      const segment = byNumber.get(number);
      if (!segment) {
        const isLast = end === undefined && !known.some((one) => one.number > number);
        if (!isLast) gap = nameOfSegment({ timeline: leg.timeline, number }, segmentBytes);
        break;
      }
      segments.push(segment);
    }
    if (gap !== undefined) break;
  }
  const endNumber = numberAt(parseLsn(backup.end.lsn) - 1n, segmentBytes);
  if (!segments.some((segment) => segment.number >= endNumber)) return undefined; // never consistent
  const from = new Date(backup.finishedAt);
  const to = segments.findLast(({ committedAt }) => committedAt)?.committedAt;
  if (!to || to < from) return undefined;
  return { backup, timeline: timeline.timeline, history: timeline.history, from, to, segments, gap };
}
