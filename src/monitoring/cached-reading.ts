/**
 * Something that is read when it is asked for, and no oftener than each `maxAgeMs`: who asks meanwhile, or while it is being
 * read, gets the same. A failed reading is remembered as long, so that a server that is down is not asked by everybody.
 */
export class CachedReading<Value> {
  private underway: Promise<Value | undefined> | undefined;
  private last: { value: Value | undefined; takenAt: number } | undefined;

  /**
   * @param waitMs how long one waits for it; a reading that takes longer is there for the next who asks
   * @param onFailure told of the first failure after a success
   */
  constructor(
    private readonly read: () => Promise<Value>,
    private readonly maxAgeMs: number,
    private readonly waitMs: number,
    private readonly onFailure: (error: unknown) => void = () => undefined,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** Undefined when it cannot be read, or not in time. It does not throw. */
  async get(): Promise<Value | undefined> {
    if (this.last && this.nowMs() - this.last.takenAt < this.maxAgeMs) return this.last.value;
    this.underway ??= this.take();
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<undefined>((resolve) => {
      timer = setTimeout(resolve, this.waitMs, undefined);
    });
    return Promise.race([this.underway, patience]).finally(() => clearTimeout(timer));
  }

  private async take(): Promise<Value | undefined> {
    const value = await this.read().catch((error: unknown) => {
      if (!this.last || this.last.value !== undefined) this.onFailure(error);
      return undefined;
    });
    this.last = { value, takenAt: this.nowMs() };
    this.underway = undefined;
    return value;
  }
}
