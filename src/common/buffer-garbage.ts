import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** So much may become garbage before it is collected. */
const COLLECT_EVERY_BYTES = 8 * 1024 * 1024;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options: { type: 'minor' }) => void;

let uncollectedBytes = 0;

/**
 * Says that buffers of so many bytes have been used for the last time. V8 sees their small handles, not their size: streams of
 * gigabytes would hold some sixty megabytes of dead ones at any time. A minor collection takes a millisecond.
 */
export function noteBufferGarbage(bytes: number): void {
  uncollectedBytes += bytes;
  if (uncollectedBytes < COLLECT_EVERY_BYTES) return;
  uncollectedBytes = 0;
  collect({ type: 'minor' });
}
