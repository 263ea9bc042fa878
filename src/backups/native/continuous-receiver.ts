import { setTimeout as sleep } from 'node:timers/promises';
import { WalSource } from '../../database/wal-source';
import { BACKUP_LOGIN } from '../backup-login';
import type { BackupStore } from './backup-store';
import { WalReceiver } from './wal-receiver';

/** The server keeps what is not stored under this name. */
export const SLOT = 'tenantry_archive';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
/** Whoever has received for so long begins to count failures anew. */
const SOUND_MS = 60_000;

interface ContinuousReceiverOptions {
  store: BackupStore;
  /** Of the backup login. */
  url: () => string;
  /** What can be lost at worst, in milliseconds; undefined: a minute. */
  everyMs?: number | undefined;
  /** Told when log has been lost for good. */
  onGap: (reason: string) => void;
  /** Told of each failure; it is tried again. */
  onFailure: (error: unknown) => void;
  onStart?: (() => void) | undefined;
}

/** Receives and stores the write-ahead log until the signal fires; what fails on the way is tried again after 1, 2, 4 … 30 seconds. */
export async function receiveContinuously(options: ContinuousReceiverOptions, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    const begun = performance.now();
    try {
      await receiveOnce(options, signal);
    } catch (error) {
      options.onFailure(error);
    }
    failures = performance.now() - begun > SOUND_MS ? 1 : failures + 1;
    const delay = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16), LAST_RETRY_MS);
    await sleep(delay, undefined, { signal }).catch(() => undefined);
  }
}

async function receiveOnce(options: ContinuousReceiverOptions, signal: AbortSignal): Promise<void> {
  const { store, url, everyMs, onGap, onStart } = options;
  const source = await WalSource.connect(url(), BACKUP_LOGIN);
  const receiver = new WalReceiver({
    source,
    store,
    slot: SLOT,
    onGap,
    // Half: so that a commit is in each segment.
    ...(everyMs !== undefined && { segmentAgeMs: everyMs, heartbeatMs: everyMs / 2 }),
  });
  const stop = (): void => receiver.stop();
  signal.addEventListener('abort', stop);
  try {
    if (signal.aborted) return;
    onStart?.();
    await receiver.run();
  } finally {
    signal.removeEventListener('abort', stop);
    await source.end();
  }
}
