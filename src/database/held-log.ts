import { randomBytes } from 'node:crypto';
import { connectForReplication } from './replication-connection';

/** The server keeps its log for whoever has this. */
export interface HeldLog {
  release(): Promise<void>;
}

/**
 * Has the server keep its log from its last checkpoint on: in a slot that goes with its connection, however this process ends. It
 * is a connection of its own, since the server ends it where more is to be kept than `max_slot_wal_keep_size`.
 * @param url of the backup login
 * @throws pg's DatabaseError when no slot is free (`max_replication_slots`)
 */
export async function holdLog(url: string, variable: string): Promise<HeldLog> {
  const { client } = await connectForReplication(url, variable);
  const end = (): Promise<void> => client.end().catch(() => undefined);
  const slot = `tenantry_backup_${randomBytes(6).toString('hex')}`;
  try {
    await client.query(`CREATE_REPLICATION_SLOT "${slot}" TEMPORARY PHYSICAL RESERVE_WAL`);
  } catch (error) {
    await end();
    throw error;
  }
  const release = async (): Promise<void> => {
    await client.query(`DROP_REPLICATION_SLOT "${slot}"`).catch(() => undefined); // gone with its connection
    await end();
  };
  return { release };
}
