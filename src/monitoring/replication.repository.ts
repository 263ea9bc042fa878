import { Injectable } from '@nestjs/common';
import { MonitorDb } from '../database/monitor-db';
import { BACKUP_APPLICATION } from '../database/replication-connection';

/** How far behind somebody is who follows this server, or this server, when it follows another. */
export interface StandbyLag {
  /** Its `application_name`; `this server` when it is a standby itself. */
  standby: string;
  seconds: number;
  /** Of the write-ahead log. */
  bytes: number;
}

/** How far the archive is behind. */
export interface ArchiveLag {
  /** Written and not archived: from the oldest segment that waits, or else the last one archived; null: there is neither. */
  lagBytes: number | null;
  /** Full segments that wait for `archive_command`. */
  readySegments: number;
  /** Since the server's statistics were last reset. */
  failed: number;
}

/** Where the write-ahead log ends: written, or on a standby replayed. */
const WAL_END = 'CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END';

/** The name of a segment: 8 digits for the timeline, 8 and 8 for its place (src/include/access/xlog_internal.h). */
const SEGMENT = '^[0-9A-F]{24}';
const startOf = (name: string): string =>
  `('x' || substr(${name}, 9, 8))::bit(32)::bigint::numeric * 4294967296 + ('x' || substr(${name}, 17, 8))::bit(32)::bigint * segment.size`;

/** Where the write-ahead log goes (PostgreSQL manual, 27.2.4, 27.2.9 and 9.28). */
@Injectable()
export class ReplicationRepository {
  constructor(private readonly db: MonitorDb) {}

  /** Nobody: []. Backups and the receiver of the log, which replays nothing, are not counted; replay_lag is null once all is replayed and nothing new comes. */
  async readStandbys(): Promise<StandbyLag[]> {
    return this.db.query<StandbyLag>(
      `SELECT coalesce(nullif(application_name, ''), 'unnamed') AS standby,
         max(coalesce(extract(epoch FROM coalesce(replay_lag, flush_lag)), 0))::float8 AS seconds,
         max(greatest(pg_wal_lsn_diff(${WAL_END}, coalesce(replay_lsn, flush_lsn, sent_lsn)), 0))::float8 AS bytes
       FROM pg_stat_replication WHERE state IN ('streaming', 'catchup') AND application_name <> '${BACKUP_APPLICATION}' GROUP BY 1
       UNION ALL
       SELECT 'this server',
         CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
           ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) END::float8,
         greatest(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::float8
       WHERE pg_is_in_recovery() ORDER BY 1`,
    );
  }

  /** Undefined when archiving is off. */
  async readArchive(): Promise<ArchiveLag | undefined> {
    const [archive] = await this.db.query<ArchiveLag>(
      `SELECT failed_count::float8 AS failed, waiting.count AS "readySegments",
         -- not greatest(0, …) alone, which makes a 0 of what is not known
         CASE WHEN done.at IS NOT NULL THEN greatest(0, pg_wal_lsn_diff(${WAL_END}, '0/0') - done.at)::float8 END AS "lagBytes"
       FROM pg_stat_archiver,
         (SELECT setting::bigint AS size FROM pg_settings WHERE name = 'wal_segment_size') AS segment,
         (SELECT count(*)::int, min(name) AS oldest FROM pg_ls_archive_statusdir() WHERE name ~ '${SEGMENT}[.]ready$') AS waiting,
         LATERAL (SELECT CASE
           WHEN waiting.oldest IS NOT NULL THEN ${startOf('waiting.oldest')}
           WHEN last_archived_wal ~ '${SEGMENT}' THEN ${startOf('last_archived_wal')} + segment.size END AS at) AS done
       WHERE current_setting('archive_mode') <> 'off'`,
    );
    return archive;
  }
}
