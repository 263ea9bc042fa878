import { setTimeout as sleep } from 'node:timers/promises';
import { CachedReading } from './cached-reading';

describe('CachedReading', () => {
  it('reads once for all who ask at a time, and again when it is too old', async () => {
    let readings = 0;
    const reading = new CachedReading(() => Promise.resolve(++readings), 30, 1_000);
    expect(await Promise.all([reading.get(), reading.get()])).toEqual([1, 1]);
    expect(await reading.get()).toBe(1);
    await sleep(40);
    expect(await reading.get()).toBe(2);
  });

  it('does not let anybody wait, and has the late value for the next', async () => {
    const reading = new CachedReading(() => sleep(60, 'late'), 1_000, 10);
    expect(await reading.get()).toBeUndefined();
    await sleep(70);
    expect(await reading.get()).toBe('late');
  });

  it('remembers a failure as long as a value, and tells of the first of a run', async () => {
    let isDown = true;
    let readings = 0;
    const failures: unknown[] = [];
    const read = async (): Promise<string> => {
      readings += 1;
      await sleep(1);
      if (isDown) throw new Error(`down ${readings}`);
      return 'up';
    };
    const reading = new CachedReading(read, 20, 1_000, (error) => failures.push((error as Error).message));
    expect([await reading.get(), await reading.get(), readings]).toEqual([undefined, undefined, 1]);
    await sleep(25);
    expect([await reading.get(), readings]).toEqual([undefined, 2]);
    expect(failures).toEqual(['down 1']);
    isDown = false;
    await sleep(25);
    expect(await reading.get()).toBe('up');
    isDown = true;
    await sleep(25);
    await reading.get();
    expect(failures).toEqual(['down 1', 'down 4']);
  });
});
