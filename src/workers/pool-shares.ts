import type { Env } from '../config/env';

/** What an operator bounds for the instance, and the workers divide among themselves. */
const DIVIDED = ['POSTGRES_POOL_SIZE', 'POSTGRES_PLATFORM_POOL_SIZE', 'POSTGRES_MAX_WAITING'] as const;

/** The part of a worker (from 1 on): all parts add up to the whole, but each is 1 at least. */
function shareOf(whole: number, worker: number, workers: number): number {
  return Math.max(1, Math.floor((whole + workers - worker) / workers));
}

/** Bounds the worker that `env` is of to its part of the connections. */
export function takeShares(env: Env): void {
  if (env.workerNumber === undefined) return;
  for (const name of DIVIDED) env[name] = shareOf(env[name], env.workerNumber, env.WORKERS);
}

/** Says where the parts are more than the whole, since a worker needs a connection of each pool. */
export function excessOf(env: Env): string[] {
  return DIVIDED.filter((name) => env[name] < env.WORKERS).map(
    (name) => `${name}=${env[name]} is less than the ${env.WORKERS} workers: each has 1, which makes ${env.WORKERS}.`,
  );
}
