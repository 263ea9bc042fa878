/**
 * A map of at most `max` entries that forgets what has not been used for long. Two generations: what is used moves to the young
 * one, and when that is half of all, the old one is forgotten. An exact order would cost two writes for each reading.
 */
export class BoundedMap<Key, Value> {
  private young = new Map<Key, Value>();
  private old = new Map<Key, Value>();
  private readonly generation: number;

  /** @param max at least 2 */
  constructor(max: number) {
    this.generation = Math.floor(max / 2);
  }

  get(key: Key): Value | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: Key, value: Value): void {
    if (this.young.size >= this.generation && !this.young.has(key)) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }

  delete(key: Key): void {
    this.young.delete(key);
    this.old.delete(key);
  }
}
