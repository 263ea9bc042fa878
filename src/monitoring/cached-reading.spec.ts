import { CachedReading } from './cached-reading';

const MAX_AGE_MS = 1_000;
const PATIENCE_MS = 10_000;

let now: number;
let readings: number;
let failures: string[];
beforeEach(() => {
  now = 12_345;
  readings = 0;
  failures = [];
});

const readingOf = (read: () => Promise<unknown>, patienceMs = PATIENCE_MS): CachedReading<unknown> =>
  new CachedReading(
    () => {
      readings += 1;
      return read();
    },
    MAX_AGE_MS,
    patienceMs,
    (error) => failures.push((error as Error).message),
    () => now,
  );

describe('CachedReading', () => {
  it('reads once for all who ask at a time, and again when it is too old', async () => {
    const reading = readingOf(() => Promise.resolve(`reading ${readings}`));
    expect(await Promise.all([reading.get(), reading.get()])).toEqual(['reading 1', 'reading 1']);
    now += MAX_AGE_MS - 1;
    expect(await reading.get()).toBe('reading 1');
    now += 1;
    expect(await reading.get()).toBe('reading 2');
    expect(readings).toBe(2);
  });

  it('lets nobody wait longer than the bound, and has the late value for the next', async () => {
    let arrive = (_value: string): void => undefined;
    const late = new Promise<string>((resolve) => (arrive = resolve));
    const reading = readingOf(() => late, 10);
    expect(await Promise.all([reading.get(), reading.get()])).toEqual([undefined, undefined]);
    arrive('late');
    await late;
    expect(await reading.get()).toBe('late');
    expect(readings).toBe(1);
  });

  it('remembers a failure as long as a value, and tells of the first of a run', async () => {
    let isDown = true;
    const reading = readingOf(() => (isDown ? Promise.reject(new Error(`down ${readings}`)) : Promise.resolve('up')));
    expect([await reading.get(), await reading.get(), readings]).toEqual([undefined, undefined, 1]);
    now += MAX_AGE_MS;
    expect([await reading.get(), readings]).toEqual([undefined, 2]);
    expect(failures).toEqual(['down 1']);
    isDown = false;
    now += MAX_AGE_MS;
    expect(await reading.get()).toBe('up');
    isDown = true;
    now += MAX_AGE_MS;
    await reading.get();
    expect(failures).toEqual(['down 1', 'down 4']);
  });
});
