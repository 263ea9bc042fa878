import { Logger } from '@nestjs/common';
import type { LogPosition } from '../../database/backup-stream';
import { WalSource } from '../../database/wal-source';
import { parseLsn } from '../../database/wal-stream';
import { numberAt } from '../wal-segments';
import type { BackupStore } from './backup-store';
import { LogIntake } from './log-intake';

const INSUFFICIENT_PRIVILEGE = '42501';
const UNDEFINED_FILE = '58P01';

interface StoreLogOptions {
  store: BackupStore;
  /** Of the backup login. */
  url: string;
  /** Named in what goes wrong. */
  variable: string;
  /** Whose own log must be there; older log that the server no longer has may be missing. Undefined: none may. */
  backup?: { start: LogPosition; end: LogPosition } | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Has the log stored up to now, with a commit at its end: what the repository lacks of it is streamed once, without the
 * receiver. Both may run at the same time, since they store the same.
 * @returns when that commit was, by the server's clock
 * @throws Error the server's or the repository's
 */
export async function storeLog({ store, url, variable, backup, signal }: StoreLogOptions): Promise<Date> {
  signal?.throwIfAborted();
  const source = await WalSource.connect(url, variable);
  const intake = new LogIntake({ source, store, slot: undefined });
  const stop = (): void => intake.stop();
  signal?.addEventListener('abort', stop);
  try {
    const { segmentBytes } = store.archive;
    const committedAt = await intake.heartbeat();
    const end = (await endSegment(source)) ?? (backup && parseLsn(backup.end.lsn)); // the server has ended that one itself
    const kept = backup ? numberAt(parseLsn(backup.start.lsn), segmentBytes) : 0n;
    if (end !== undefined) await intake.receive(kept, numberAt(end - 1n, segmentBytes));
    signal?.throwIfAborted();
    return committedAt;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== UNDEFINED_FILE) throw error;
    const reason =
      'The server no longer has log that belongs to it: see max_slot_wal_keep_size, or receive it meanwhile.';
    throw new Error(reason, { cause: error });
  } finally {
    signal?.removeEventListener('abort', stop);
    await source.end();
  }
}

/** @returns where it ends; undefined where the login may not */
async function endSegment(source: WalSource): Promise<bigint | undefined> {
  try {
    return await source.switchSegment();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== INSUFFICIENT_PRIVILEGE) throw error;
    new Logger('Backups').warn(
      'The backup login may not end a segment of the log (db:bootstrap): a backup can be restored from then on that the segment after it is full and received.',
    );
    return undefined;
  }
}
