import { parseHistory } from '../timeline-history';
import { legsToReceive } from './log-legs';

const MB = 1024 * 1024;
const history = parseHistory(
  `# a comment\n1\t0/A800000\tbefore 2026-11-23 10:15:00.123+00\n\n2\t0/14000000\tno recovery target specified\n`,
);

describe('parseHistory', () => {
  it('says where each timeline was left', () => {
    expect(history).toEqual([
      { timeline: 1, until: 0xa800000n }, // in the middle of segment 10
      { timeline: 2, until: 0x14000000n }, // at the beginning of segment 20
    ]);
  });
});

describe('legsToReceive', () => {
  const legs = (stored: [number, bigint][], timeline = 3): ReturnType<typeof legsToReceive> =>
    legsToReceive(
      { timeline, history: history.filter((one) => one.timeline < timeline), segmentBytes: 16 * MB },
      new Map(stored),
      7n,
    );

  it('begins where the server has its log from, when nothing is stored', () => {
    expect(legs([])).toEqual([{ timeline: 3, from: 7n, until: undefined }]);
    expect(legs([], 1)).toEqual([{ timeline: 1, from: 7n, until: undefined }]);
  });

  it('goes on after what is stored', () => {
    expect(legs([[1, 4n]], 1)).toEqual([{ timeline: 1, from: 5n, until: undefined }]);
    expect(
      legs([
        [1, 9n],
        [2, 19n],
        [3, 30n],
      ]),
    ).toEqual([{ timeline: 3, from: 31n, until: undefined }]);
  });

  it('first goes to the end of the timelines that were left', () => {
    expect(legs([[1, 4n]])).toEqual([
      { timeline: 1, from: 5n, until: 10n },
      { timeline: 2, from: 10n, until: 20n },
      { timeline: 3, from: 20n, until: undefined },
    ]);
  });

  it('takes nothing again of a timeline that is stored beyond the place where it was left, as before a restore', () => {
    expect(legs([[1, 15n]], 2)).toEqual([{ timeline: 2, from: 10n, until: undefined }]);
    expect(legs([[1, 9n]], 2)).toEqual([{ timeline: 2, from: 10n, until: undefined }]);
  });
});
