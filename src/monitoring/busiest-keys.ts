/** How often a key was seen; both numbers halve with time. */
interface Tally {
  key: string;
  /** Its place in the heap. */
  place: number;
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
  /** The same as a binary heap: the one that was seen least stands first, and nobody has to look for it. */
  private readonly heap: Tally[] = [];
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
    const tally = this.tallies.get(key) ?? this.newTally(key);
    tally.count += weight;
    this.sink(tally);
  }

  /** At most `limit` keys, the busiest first. */
  top(limit: number): { key: string; perSecond: number }[] {
    const perUnit = this.perSecondOfOne();
    return this.heap
      .map(({ key, count, inherited }) => ({ key, perSecond: (count - inherited) * perUnit }))
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
    for (const tally of this.heap) {
      tally.count /= 2 ** doublings;
      tally.inherited /= 2 ** doublings;
    }
    this.weightOneAt = this.nowSeconds();
    return 1;
  }

  /** A place of its own, or when there is none that of the key seen least. */
  private newTally(key: string): Tally {
    let tally = this.heap[0];
    if (!tally || this.heap.length < this.capacity) {
      tally = { key, place: this.heap.length, count: 0, inherited: 0 };
      this.heap.push(tally);
      this.rise(tally);
    } else {
      this.tallies.delete(tally.key);
      tally.key = key;
      tally.inherited = tally.count;
    }
    this.tallies.set(key, tally);
    return tally;
  }

  private rise(tally: Tally): void {
    while (tally.place > 0) {
      const parent = this.heap[(tally.place - 1) >> 1]!;
      if (parent.count <= tally.count) return;
      this.swap(parent, tally);
    }
  }

  private sink(tally: Tally): void {
    for (;;) {
      const [left, right] = [this.heap[2 * tally.place + 1], this.heap[2 * tally.place + 2]];
      const child = right && right.count < left!.count ? right : left;
      if (!child || child.count >= tally.count) return;
      this.swap(tally, child);
    }
  }

  private swap(upper: Tally, lower: Tally): void {
    [upper.place, lower.place] = [lower.place, upper.place];
    this.heap[upper.place] = upper;
    this.heap[lower.place] = lower;
  }
}
