interface Bucket {
  /** Which stretch of time it is for, counted from the clock's zero. */
  number: number;
  counts: Map<string, number>;
}

/**
 * Counts what happened within the last `windowSeconds`, by name: a ring of buckets, each reused when its time comes round.
 * Names must be few; the oldest bucket leaves as a whole.
 */
export class SlidingCounts {
  private readonly ring: Bucket[];

  constructor(
    readonly windowSeconds = 300,
    private readonly bucketSeconds = 10,
    private readonly nowSeconds: () => number = () => performance.now() / 1000,
  ) {
    const length = Math.ceil(windowSeconds / bucketSeconds);
    this.ring = Array.from({ length }, () => ({ number: -1, counts: new Map<string, number>() }));
  }

  add(name: string): void {
    const { counts } = this.current();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }

  /** By name; what has not happened is absent. */
  totals(): Record<string, number> {
    const oldest = this.currentNumber() - this.ring.length + 1;
    const totals: Record<string, number> = {};
    for (const { number, counts } of this.ring) {
      if (number < oldest) continue;
      for (const [name, count] of counts) totals[name] = (totals[name] ?? 0) + count;
    }
    return totals;
  }

  private currentNumber(): number {
    return Math.floor(this.nowSeconds() / this.bucketSeconds);
  }

  private current(): Bucket {
    const number = this.currentNumber();
    const bucket = this.ring[number % this.ring.length]!;
    if (bucket.number !== number) {
      bucket.number = number;
      bucket.counts.clear();
    }
    return bucket;
  }
}
