import { daysUntilFull, growthOf } from './growth';
import type { SizePoint } from './size-samples.repository';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-11-23T12:00:00Z');
const MIB = 1024 ** 2;

/** One point a day, `days` of them, the last one now. */
const daily = (days: number, bytesOn: (day: number) => number): SizePoint[] =>
  Array.from({ length: days }, (_, day) => ({
    at: new Date(NOW.getTime() - (days - 1 - day) * DAY_MS),
    bytes: bytesOn(day),
  }));

describe('growthOf', () => {
  it.each([
    ['grows', 5 * MIB],
    ['stands still', 0],
    ['shrinks', -5 * MIB],
  ])('tells by how much a day something %s', (_, perDay) => {
    const points = daily(31, (day) => 1000 * MIB + day * perDay);
    expect(growthOf(points, NOW)).toEqual({ last7Days: perDay, last30Days: perDay });
  });

  it('tells the last week from the month', () => {
    const points = daily(31, (day) => (day < 23 ? day * MIB : 23 * MIB + (day - 23) * 10 * MIB));
    const { last7Days, last30Days } = growthOf(points, NOW);
    expect(last7Days).toBe(10 * MIB);
    expect(last30Days).toBeLessThan(3 * MIB);
    expect(last30Days).toBeGreaterThanOrEqual(MIB);
  });

  it('does not follow a few points that are far off', () => {
    const spikes = new Set([5, 12, 29]);
    const points = daily(31, (day) => day * MIB + (spikes.has(day) ? 500 * MIB : 0));
    expect(growthOf(points, NOW)).toEqual({ last7Days: MIB, last30Days: MIB });
  });

  it.each([
    ['nothing', [], { last7Days: null, last30Days: null }],
    ['three points', daily(3, () => 1), { last7Days: null, last30Days: null }],
    ['half of the short window', daily(5, (day) => day), { last7Days: 1, last30Days: null }],
    ['less than half of the long window', daily(15, (day) => day), { last7Days: 1, last30Days: null }],
    ['half of the long window', daily(16, (day) => day), { last7Days: 1, last30Days: 1 }],
    [
      'many points within an hour',
      Array.from({ length: 60 }, (_, minute) => ({
        at: new Date(NOW.getTime() - (60 - minute) * 60_000),
        bytes: minute,
      })),
      { last7Days: null, last30Days: null },
    ],
  ])('claims nothing that %s does not show', (_, points, expected) => {
    expect(growthOf(points, NOW)).toEqual(expected);
  });

  it('leaves out what is older than the window', () => {
    const old = daily(60, (day) => (day < 29 ? 1e12 : 0)).slice(0, 29);
    expect(growthOf([...old, ...daily(31, (day) => day)], NOW)).toEqual({ last7Days: 1, last30Days: 1 });
  });
});

describe('daysUntilFull', () => {
  it.each([
    ['by the faster of both growths', 100, { last7Days: 10, last30Days: 5 }, 150, 5],
    ['where one is unknown', 100, { last7Days: null, last30Days: 20 }, 150, 2.5],
    ['0 when it is full', 150, { last7Days: null, last30Days: null }, 150, 0],
    ['never, when nothing grows', 100, { last7Days: -3, last30Days: 0 }, 150, null],
    ['not known without history', 100, { last7Days: null, last30Days: null }, 150, null],
    ['not known without a bound', 100, { last7Days: 10, last30Days: 10 }, undefined, null],
  ])('%s', (_, bytes, growth, bound, expected) => {
    expect(daysUntilFull(bytes, growth, bound)).toBe(expected);
  });
});
