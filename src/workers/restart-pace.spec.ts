import { RestartPace } from './restart-pace';

const HOUR_MS = 3_600_000;

describe('RestartPace', () => {
  it('replaces a worker that has served for long at once', () => {
    expect(new RestartPace().pauseAfter(HOUR_MS)).toBe(0);
  });

  it('waits twice as long after each early end, and gives up at the sixth', () => {
    const pace = new RestartPace();
    const pauses = Array.from({ length: 6 }, () => pace.pauseAfter(0));
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, undefined]);
  });

  it('begins anew once a worker has served for long', () => {
    const pace = new RestartPace();
    expect([pace.pauseAfter(29_999), pace.pauseAfter(29_999)]).toEqual([500, 1_000]);
    expect([pace.pauseAfter(30_000), pace.pauseAfter(0)]).toEqual([0, 500]);
  });
});
