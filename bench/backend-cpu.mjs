import { cpuOfThread } from './cpu.mjs';
import { interleave } from './interleave.mjs';

/** A pool of this size has one backend, whose CPU is that of what is asked. */
export const ONE_CONNECTION = { POSTGRES_POOL_SIZE: '1' };

/**
 * Microseconds of CPU that a PostgreSQL backend spends on one question, asked in several ways in turn.
 * @param {Record<string, [doors: Awaited<ReturnType<import('./own-doors.mjs').openDoors>>, ask: () => Promise<unknown>]>} ways
 * @param {{ rounds: number, queries: number, warmUpQueries: number }} extent
 * @returns {Promise<Record<string, { round: number, value: number }[]>>}
 */
export async function cpuOfBackends(ways, { rounds, queries, warmUpQueries }) {
  const measured = {};
  for (const [way, [doors, ask]] of Object.entries(ways)) {
    const run = async (count) => {
      for (let done = 0; done < count; done += 1) await ask();
    };
    await run(warmUpQueries);
    const { rows } = await doors.pool.query('SELECT pg_backend_pid() AS pid');
    measured[way] = async () => {
      const before = cpuOfThread(rows[0].pid);
      await run(queries);
      return (cpuOfThread(rows[0].pid) - before) / queries;
    };
  }
  return interleave(measured, rounds);
}
