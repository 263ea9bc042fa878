/** The person, or the system, has asked the process to end. */
export class InterruptedError extends Error {
  constructor() {
    super('Interrupted. What was made so far is removed; nothing else was changed.');
    this.name = 'InterruptedError';
  }
}

/** Runs work that the first Ctrl-C (SIGINT) or SIGTERM ends in order; a second one ends the process at once. */
export async function untilInterrupted<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new InterruptedError());
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    process.removeListener('SIGINT', interrupt).removeListener('SIGTERM', interrupt);
  }
}
