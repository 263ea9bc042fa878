import type { BackupSession } from '../../database/backup-session';
import { SLOT } from './continuous-receiver';

/** How the slot stands under which the server keeps the log. */
export interface SlotStatus {
  /** Does somebody receive it: this process, or another? */
  isReceived: boolean;
  /** What the server keeps because it is not stored yet; up to a segment when all is well. Null: the server has let go of some. */
  lagBytes: number | null;
}

/** No slot yet is one that nobody receives. */
export async function readSlotStatus(session: BackupSession): Promise<SlotStatus> {
  const [slot] = await session.query<SlotStatus>(
    `SELECT active AS "isReceived", pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 AS "lagBytes"
     FROM pg_replication_slots WHERE slot_name = $1`,
    [SLOT],
  );
  return slot ?? { isReceived: false, lagBytes: null };
}
