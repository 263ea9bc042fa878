import pg from 'pg';
import { clientConfig } from './client-config';
import { parseConnectionString } from './connection-string';
import { connectToFirst } from './first-server';

const CONNECT_TIMEOUT_MS = 10_000;
/** Under it backups and the receiver of the log are known to the server. */
export const BACKUP_APPLICATION = 'tenantry-backup';

/** A connection that speaks the replication protocol, to a cluster as a whole; the caller ends it. */
export interface ReplicationConnection {
  client: pg.Client;
  /** Tells this cluster, with all that descend from it, from every other. */
  systemId: string;
  timeline: number;
  /** 18 of 18.4 */
  serverMajor: number;
  /** Of the write-ahead log. */
  segmentBytes: number;
}

/**
 * Connects for physical replication (PostgreSQL manual, 53.4) with a login that has REPLICATION; of several hosts, to the
 * first that takes writes.
 * @param url of the backup login
 * @throws NoServerError when no host will do; pg's DatabaseError when the login may not
 */
export async function connectForReplication(url: string, variable: string): Promise<ReplicationConnection> {
  const target = parseConnectionString(url, variable);
  const found = await connectToFirst(target, CONNECT_TIMEOUT_MS, BACKUP_APPLICATION);
  await found.client.end();
  const client = new pg.Client({
    application_name: BACKUP_APPLICATION,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    ...clientConfig(target, found.address),
    replication: 'true',
  } as pg.ClientConfig);
  client.on('error', () => undefined); // what runs on it fails and tells
  await client.connect();
  try {
    const { rows: identity } = await client.query<{ systemid: string; timeline: number }>('IDENTIFY_SYSTEM');
    const { rows: version } = await client.query<{ server_version: string }>('SHOW server_version');
    const { rows: segments } = await client.query<{ wal_segment_size: string }>('SHOW wal_segment_size');
    const { systemid, timeline } = identity[0]!;
    return {
      client,
      systemId: systemid,
      timeline: Number(timeline),
      serverMajor: Number.parseInt(version[0]!.server_version, 10),
      segmentBytes: bytesOf(segments[0]!.wal_segment_size),
    };
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
}

/** `16MB` as a number: the replication protocol has SHOW and no SELECT. */
function bytesOf(setting: string): number {
  const [, amount, unit] = /^(\d+)(MB|GB)$/.exec(setting) ?? [];
  if (!amount) throw new Error(`The server says that its wal_segment_size is ${setting}.`);
  return Number(amount) * 1024 ** (unit === 'GB' ? 3 : 2);
}
