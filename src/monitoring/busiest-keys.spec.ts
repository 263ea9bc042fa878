import { BusiestKeys } from './busiest-keys';

const HALF_LIFE = 60;

let now: number;
beforeEach(() => {
  now = 1_000;
});
const newSketch = (capacity: number): BusiestKeys => new BusiestKeys(capacity, HALF_LIFE, () => now);

/** Lets `seconds` pass, in each of which every key is seen as often as its rate says. */
function live(sketch: BusiestKeys, seconds: number, rates: Record<string, number>): void {
  for (let second = 0; second < seconds; second += 1) {
    for (const [key, rate] of Object.entries(rates)) for (let i = 0; i < rate; i += 1) sketch.see(key);
    now += 1;
  }
}

describe('BusiestKeys', () => {
  it('tells the rates of steady keys, the busiest first', () => {
    const sketch = newSketch(10);
    live(sketch, 600, { calm: 1, busy: 20, brisk: 5 });
    expect(sketch.top(2)).toEqual([
      { key: 'busy', perSecond: expect.closeTo(20, 0) as number },
      { key: 'brisk', perSecond: expect.closeTo(5, 0) as number },
    ]);
  });

  it('is right soon after the start', () => {
    const sketch = newSketch(10);
    live(sketch, 5, { busy: 20 });
    expect(sketch.top(1)[0]!.perSecond).toBeGreaterThan(18);
    expect(sketch.top(1)[0]!.perSecond).toBeLessThan(21);
  });

  it('forgets: half after a half-life, all in the end', () => {
    const sketch = newSketch(10);
    live(sketch, 1_200, { once: 16 });
    now += HALF_LIFE;
    expect(sketch.top(1)[0]!.perSecond).toBeCloseTo(8, 0);
    now += 20 * HALF_LIFE;
    expect(sketch.top(1)).toEqual([]);
  });

  it('holds no more than its capacity, and still finds the busy ones among 100,000 others', () => {
    const sketch = newSketch(200);
    const busy = { a: 40, b: 30, c: 20 };
    let other = 0;
    for (let second = 0; second < 300; second += 1) {
      live(sketch, 1, busy);
      for (let i = 0; i < 334; i += 1) sketch.see(`other-${other++}`);
    }
    expect(other).toBeGreaterThan(100_000);
    expect(sketch.size).toBe(200);
    expect(sketch.top(3).map(({ key }) => key)).toEqual(['a', 'b', 'c']);
    for (const { key, perSecond } of sketch.top(3)) {
      expect(perSecond).toBeLessThanOrEqual(busy[key as keyof typeof busy] * 1.01);
      expect(perSecond).toBeGreaterThan(busy[key as keyof typeof busy] * 0.8);
    }
  });

  it('claims nothing for who has only just taken the place of another', () => {
    const sketch = newSketch(1);
    live(sketch, 60, { busy: 50 });
    sketch.see('newcomer');
    const [newcomer] = sketch.top(1);
    expect(newcomer!.key).toBe('newcomer');
    expect(newcomer!.perSecond).toBeLessThan(0.1);
  });

  it('goes on over days', () => {
    const sketch = newSketch(10);
    sketch.see('first');
    for (let day = 0; day < 30; day += 1) now += 86_400;
    live(sketch, 600, { busy: 3 });
    now += 400 * HALF_LIFE;
    live(sketch, 600, { busy: 3 });
    expect(sketch.top(2)).toEqual([{ key: 'busy', perSecond: expect.closeTo(3, 0) as number }]);
  });
});
