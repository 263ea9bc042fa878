import { connectTo } from './server-connection';

/** When the last commit was made that came back with the log; undefined: none did. @param url of the recovered server's superuser */
export async function lastReplayedCommit(url: string): Promise<Date | undefined> {
  const client = await connectTo(url);
  try {
    const { rows } = await client.query<{ at: Date | null }>('SELECT pg_last_xact_replay_timestamp() AS at');
    return rows[0]?.at ?? undefined;
  } finally {
    await client.end();
  }
}
