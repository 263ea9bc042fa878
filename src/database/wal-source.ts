import type pg from 'pg';
import { connectTo } from './server-connection';
import { connectForReplication, type ReplicationConnection } from './replication-connection';
import { parseLsn } from './wal-stream';

const INSUFFICIENT_PRIVILEGE = '42501';

/** A replication slot as the server keeps it. */
export interface SlotState {
  /** The server has all of its log from here on; undefined: it has let go of some (`max_slot_wal_keep_size`). */
  restartPosition: bigint | undefined;
  isActive: boolean;
}

/** Where the log comes from: what is asked of the server beside the stream itself, under the backup login. */
export class WalSource {
  private constructor(
    private readonly url: string,
    private readonly variable: string,
    private readonly client: pg.Client,
  ) {}

  /** @throws StartupError when the server cannot be reached */
  static async connect(url: string, variable: string): Promise<WalSource> {
    return new WalSource(url, variable, await connectTo(url, undefined, variable));
  }

  /** A connection for one stream; the caller ends it. */
  connectForStream(): Promise<ReplicationConnection> {
    return connectForReplication(this.url, this.variable);
  }

  /** @returns undefined when there is no such slot */
  async readSlot(slot: string): Promise<SlotState | undefined> {
    const { rows } = await this.client.query<{ position: string | null; active: boolean; lost: boolean }>(
      `SELECT restart_lsn::text AS position, active, wal_status = 'lost' AS lost FROM pg_replication_slots WHERE slot_name = $1`,
      [slot],
    );
    const [row] = rows;
    if (!row) return undefined;
    return {
      restartPosition: row.lost || row.position === null ? undefined : parseLsn(row.position),
      isActive: row.active,
    };
  }

  /**
   * When the server began a timeline, by its clock: it wrote this file then.
   * @param historyFile such as `00000002.history`
   * @returns undefined where the login may not look, or the file is gone
   */
  async timelineBegunAt(historyFile: string): Promise<Date | undefined> {
    try {
      const { rows } = await this.client.query<{ at: Date }>(
        'SELECT modification AS at FROM pg_ls_waldir() WHERE name = $1',
        [historyFile],
      );
      return rows[0]?.at;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== INSUFFICIENT_PRIVILEGE) throw error;
      return undefined;
    }
  }

  /** From now on the server keeps its log for us. */
  async createSlot(slot: string): Promise<void> {
    await this.client.query('SELECT pg_create_physical_replication_slot($1, true)', [slot]);
  }

  async dropSlot(slot: string): Promise<void> {
    await this.client.query('SELECT pg_drop_replication_slot($1)', [slot]);
  }

  /**
   * Writes a commit into the log, so that a quiet system, too, has one to restore to.
   * @returns when, by the server's clock, and where; it is in the log before the position
   */
  async heartbeat(): Promise<{ at: Date; position: bigint }> {
    const { rows } = await this.client.query<{ at: Date; position: string }>(
      `SELECT now() AS at, pg_logical_emit_message(true, 'tenantry', 'heartbeat')::text AS position`,
    );
    const { rows: after } = await this.client.query<{ position: string }>(
      'SELECT pg_current_wal_insert_lsn()::text AS position', // the commit's own record comes after the message
    );
    return { at: rows[0]!.at, position: parseLsn(after[0]!.position) };
  }

  /**
   * Ends the current segment, so that it can be archived; where nothing is in it yet, the one before has ended.
   * @returns where that segment ends
   * @throws pg's DatabaseError when the login may not
   */
  async switchSegment(): Promise<bigint> {
    const { rows } = await this.client.query<{ position: string }>('SELECT pg_switch_wal()::text AS position');
    return parseLsn(rows[0]!.position);
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}
