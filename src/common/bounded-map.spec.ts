import { BoundedMap } from './bounded-map';

describe('BoundedMap', () => {
  const filled = (...keys: string[]): BoundedMap<string, string> => {
    const map = new BoundedMap<string, string>(4);
    for (const key of keys) map.set(key, key);
    return map;
  };

  it('keeps what is used and forgets what is not', () => {
    const map = filled('used', 'unused');
    for (let count = 0; count < 20; count += 1) {
      map.set(`other ${count}`, '');
      expect(map.get('used')).toBe('used');
    }
    expect(map.get('unused')).toBeUndefined();
  });

  it('never holds more than it may', () => {
    const keys = Array.from({ length: 50 }, (_, index) => `key ${index}`);
    const map = filled(...keys);
    const held = keys.filter((key) => map.get(key) !== undefined);
    expect(held.length).toBeLessThanOrEqual(4);
    expect(held).toContain('key 49');
  });

  it('gives the newest value of a key, in whichever generation the other one stands', () => {
    const map = filled('a', 'b', 'c');
    map.set('a', 'new');
    expect(map.get('a')).toBe('new');
  });

  it('forgets what it is told to', () => {
    const map = filled('old', 'older', 'young');
    map.delete('old');
    map.delete('young');
    expect([map.get('old'), map.get('young'), map.get('older')]).toEqual([undefined, undefined, 'older']);
  });
});
