import { SlidingCounts } from './sliding-counts';

let now: number;
let counts: SlidingCounts;
beforeEach(() => {
  now = 12_345;
  counts = new SlidingCounts(300, 10, () => now);
});

describe('SlidingCounts', () => {
  it('counts by name', () => {
    for (const name of ['a', 'b', 'a']) counts.add(name);
    expect(counts.totals()).toEqual({ a: 2, b: 1 });
  });

  it('keeps what happened within the window', () => {
    counts.add('a');
    now += 290 - 5;
    counts.add('a');
    expect(counts.totals()).toEqual({ a: 2 });
  });

  it('forgets what is older, one bucket at a time', () => {
    counts.add('a');
    now += 100;
    counts.add('a');
    now += 200;
    expect(counts.totals()).toEqual({ a: 1 });
    now += 100;
    expect(counts.totals()).toEqual({});
  });

  it('does not take a bucket of an earlier round for one of now', () => {
    counts.add('a');
    now += 300 * 7;
    expect(counts.totals()).toEqual({});
    counts.add('b');
    expect(counts.totals()).toEqual({ b: 1 });
  });

  it('holds the buckets of one window however long it runs', () => {
    for (let second = 0; second < 3_600; second += 1) {
      counts.add('a');
      now += 1;
    }
    expect(counts.totals().a).toBeGreaterThan(289);
    expect(counts.totals().a).toBeLessThanOrEqual(300);
  });
});
