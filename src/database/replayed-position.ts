import pg from 'pg';
import { parseLsn } from './wal-stream';

/** How far a recovered server has replayed the log: the end of the last record. */
export async function replayedPosition(adminUrl: string): Promise<bigint> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ position: string }>('SELECT pg_last_wal_replay_lsn()::text AS position');
    return parseLsn(rows[0]!.position);
  } finally {
    await client.end();
  }
}
