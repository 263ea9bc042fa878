import { setTimeout as sleep } from 'node:timers/promises';

const PATIENCE_MS = 10_000;
const POLL_MS = 20;

/** Repeats the assertions until they hold. @throws what they threw last, after ten seconds unless told otherwise */
export async function eventually<Result>(assertions: () => Promise<Result>, patienceMs = PATIENCE_MS): Promise<Result> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    try {
      return await assertions();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(POLL_MS);
    }
  }
}
