/** How often a key was seen; both numbers halve with time. */
interface Tally {
  count: number;
  /** At most so much of `count` belongs to others, whose place this key has taken. */
  inherited: number;
}

/** Weights double each half-life; before they leave the range of a double (2^1023) all are scaled down. */
const MAX_DOUBLINGS = 500;
/** A key that is seen less often than once in about 17 minutes is not busy. */
const LEAST_PER_SECOND = 0.001;
/** The first second says little about a rate. */
const LEAST_AGE_SECONDS = 1;

/**
 * How often per second the busiest keys are seen, in memory for `capacity` of them however many there are: the Space-Saving
 * sketch (Metwally, Agrawal, El Abbadi 2005), with counts that decay, so that it tells of now (half-life: what is older
 * counts half). What it tells of a key is never more than the truth.
 */
export class BusiestKeys {
  private readonly tallies = new Map<string, Tally>();
  private readonly startedAt: number;
  private weightOneAt: number;

  constructor(
    private readonly capacity: number,
    private readonly halfLifeSeconds: number,
    private readonly nowSeconds: () => number = () => performance.now() / 1000,
  ) {
    this.startedAt = nowSeconds();
    this.weightOneAt = this.startedAt;
  }

  see(key: string): void {
    const weight = this.weightNow();
    const tally = this.tallies.get(key);
    if (tally) {
      tally.count += weight;
    } else if (this.tallies.size < this.capacity) {
      this.tallies.set(key, { count: weight, inherited: 0 });
    } else {
      const [leastKey, { count }] = this.least();
      this.tallies.delete(leastKey);
      this.tallies.set(key, { count: count + weight, inherited: count });
    }
  }

  /** At most `limit` keys, the busiest first. */
  top(limit: number): { key: string; perSecond: number }[] {
    const perUnit = this.perSecondOfOne();
    return [...this.tallies]
      .map(([key, { count, inherited }]) => ({ key, perSecond: (count - inherited) * perUnit }))
      .filter(({ perSecond }) => perSecond >= LEAST_PER_SECOND)
      .toSorted((a, b) => b.perSecond - a.perSecond)
      .slice(0, limit);
  }

  /** How many keys are held: never more than the capacity. */
  get size(): number {
    return this.tallies.size;
  }

  /**
   * The rate that a count of 1 stands for. A steady rate r, halving, adds up to r · halfLife / ln 2; soon after the start
   * only the part that the elapsed time has had a chance to add.
   */
  private perSecondOfOne(): number {
    const age = Math.max(this.nowSeconds() - this.startedAt, LEAST_AGE_SECONDS);
    const reached = 1 - 2 ** (-age / this.halfLifeSeconds);
    return Math.LN2 / (this.halfLifeSeconds * reached * this.weightNow());
  }

  /** New sightings weigh more instead of old ones less: nothing has to be touched as time goes by. */
  private weightNow(): number {
    const doublings = (this.nowSeconds() - this.weightOneAt) / this.halfLifeSeconds;
    if (doublings < MAX_DOUBLINGS) return 2 ** doublings;
    for (const tally of this.tallies.values()) {
      tally.count /= 2 ** doublings;
      tally.inherited /= 2 ** doublings;
    }
    this.weightOneAt = this.nowSeconds();
    return 1;
  }

  private least(): [string, Tally] {
    let least: [string, Tally] | undefined;
    for (const entry of this.tallies) if (!least || entry[1].count < least[1].count) least = entry;
    return least!;
  }
}
