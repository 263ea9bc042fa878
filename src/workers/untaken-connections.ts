import type { ChildProcess, SendHandle } from 'node:child_process';
import type { Worker } from 'node:cluster';

/** A connection on its way, as Node's cluster sends it: the bare handle of the system's. */
interface Handle {
  close(done?: () => void): void;
}

/**
 * Closes, when a worker ends, the connections that were on their way to it. Node keeps each until the worker says that it has
 * it; one that is killed never says so, and its caller would wait for ever (Node 20, test/e2e/workers.e2e-spec.ts).
 */
export function closeUntakenConnections({ process: child }: Worker): void {
  const untaken = new Set<Handle>();
  const send = child.send.bind(child) as (...parts: unknown[]) => boolean;
  child.send = ((message: unknown, handle?: SendHandle, ...rest: unknown[]) => {
    if (isBareHandle(handle)) untilClosed(handle, untaken);
    return send(message, handle, ...rest);
  }) as ChildProcess['send'];
  child.once('exit', () => {
    for (const handle of untaken) handle.close();
  });
}

/** Node closes it in this process once the worker has it. */
function untilClosed(handle: Handle, untaken: Set<Handle>): void {
  const close = handle.close.bind(handle);
  untaken.add(handle);
  handle.close = (done) => {
    untaken.delete(handle);
    close(done);
  };
}

const isBareHandle = (handle: unknown): handle is Handle =>
  typeof handle === 'object' && handle !== null && 'close' in handle && typeof handle.close === 'function';
