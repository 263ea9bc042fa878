import type { Timeline } from '../coverage';

/** A part of the log that lies on one timeline, in numbers of segments. */
export interface LogLeg {
  timeline: number;
  from: bigint;
  /** The first one that is not part of it: where the timeline was left, its segment is whole in the next one. Undefined: it goes on. */
  until: bigint | undefined;
}

/**
 * What is still to be received so that the stored log has no gap: after a restore or a promotion it begins on a timeline that the
 * server has left.
 * @param current the server's timeline, and how it came about
 * @param stored the number of the last stored segment of each timeline
 * @param kept where the server's log begins for us when nothing is stored yet
 */
export function legsToReceive(
  current: { timeline: number; history: Timeline['history']; segmentBytes: number },
  stored: ReadonlyMap<number, bigint>,
  kept: bigint,
): LogLeg[] {
  const all = [
    ...current.history.map(({ timeline, until }) => ({ timeline, until: until / BigInt(current.segmentBytes) })),
    { timeline: current.timeline, until: undefined },
  ];
  const begun = all.findLastIndex(({ timeline }) => stored.has(timeline));
  if (begun < 0) return [{ timeline: current.timeline, from: kept, until: undefined }];
  return all.flatMap(({ timeline, until }, index) => {
    if (index < begun) return [];
    const last = stored.get(timeline);
    const from = last === undefined ? all[index - 1]!.until! : last + 1n;
    return until !== undefined && from >= until ? [] : [{ timeline, from, until }];
  });
}
