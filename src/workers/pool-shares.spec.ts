import { Env } from '../config/env';
import { excessOf, takeShares } from './pool-shares';

function sharesOf(
  workers: number,
  bounds: Partial<Env> = {},
): { pool: number[]; platform: number[]; waiting: number[] } {
  const all = Array.from({ length: workers }, (_, index) => {
    const env = Object.assign(new Env(), { WORKERS: workers, workerNumber: index + 1, ...bounds });
    takeShares(env);
    return env;
  });
  return {
    pool: all.map((env) => env.POSTGRES_POOL_SIZE),
    platform: all.map((env) => env.POSTGRES_PLATFORM_POOL_SIZE),
    waiting: all.map((env) => env.POSTGRES_MAX_WAITING),
  };
}

describe('the shares of workers', () => {
  it('add up to what the operator has bounded', () => {
    expect(sharesOf(3)).toEqual({ pool: [4, 3, 3], platform: [1, 1, 1], waiting: [34, 33, 33] });
    expect(sharesOf(2, { POSTGRES_POOL_SIZE: 7 }).pool).toEqual([4, 3]);
  });

  it('are one connection at least, which is said', () => {
    expect(sharesOf(4).platform).toEqual([1, 1, 1, 1]);
    expect(excessOf(Object.assign(new Env(), { WORKERS: 4 }))).toEqual([
      'POSTGRES_PLATFORM_POOL_SIZE=3 is less than the 4 workers: each has 1, which makes 4.',
    ]);
    expect(excessOf(Object.assign(new Env(), { WORKERS: 3 }))).toEqual([]);
  });

  it('are the whole of a process that is none of several', () => {
    const env = new Env();
    takeShares(env);
    expect(env).toEqual(new Env());
  });
});
