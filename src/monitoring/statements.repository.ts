import { Injectable } from '@nestjs/common';
import { MonitorDb } from '../database/monitor-db';

/** Why there are no statistics of statements. */
export type MissingStatistics = 'no_monitor_login' | 'no_extension' | 'not_loaded' | 'outdated';

/** Where pg_stat_statements stands in this database. */
export interface StatisticsSource {
  /** Quoted. */
  schema: string;
  /** The columns of the time that blocks took to read have another name from 1.11 (PostgreSQL 17) on. */
  readTimeColumn: 'blk_read_time' | 'shared_blk_read_time';
}

/** What one statement under one login has taken since the statistics were reset. Times in milliseconds. */
export interface StatementRow {
  /** PostgreSQL's `queryid`. */
  fingerprint: string;
  login: string;
  /** Whole, as PostgreSQL keeps it: constants are `$n`, comments are there. */
  text: string;
  calls: number;
  totalMs: number;
  meanMs: number;
  maxMs: number;
  rows: number;
  sharedBlocksHit: number;
  sharedBlocksRead: number;
  /** 0 while the server's track_io_timing is off. */
  readMs: number;
}

/** The orders of the list, the most first. */
export const STATEMENT_SORTS = {
  totalTime: 's.total_exec_time',
  meanTime: 's.mean_exec_time',
  calls: 's.calls',
} as const;
export type StatementSort = keyof typeof STATEMENT_SORTS;

/** Of the extension: `toplevel` and pg_stat_statements_info came with PostgreSQL 14's. */
const OLDEST_VERSION = [1, 9] as const;

/**
 * Of this database, of others than the monitor, and no utility statements: their text is kept with its values.
 * A statement that a function runs is left out: it is counted in the one that called.
 */
const OURS = String.raw`s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND s.userid <> current_user::regrole::oid AND s.queryid IS NOT NULL AND s.toplevel
  AND s.query ~* '^(\s|\(|--[^\n]*\n|/\*([^*]|\*+[^*/])*\*+/)*(select|insert|update|delete|merge|with|values|table)\M'`;

/** What pg_stat_statements says (PostgreSQL manual, F.32), under the monitor login. */
@Injectable()
export class StatementsRepository {
  constructor(private readonly db: MonitorDb) {}

  /** Where the statistics are, or what is missing for them. */
  async locate(): Promise<StatisticsSource | MissingStatistics> {
    if (!this.db.isConfigured) return 'no_monitor_login';
    const [extension] = await this.db.query<{ schema: string; version: string; isLoaded: boolean }>(
      `SELECT extnamespace::regnamespace::text AS schema, extversion AS version,
         current_setting('pg_stat_statements.max', true) IS NOT NULL AS "isLoaded"
       FROM pg_extension WHERE extname = 'pg_stat_statements'`,
    );
    if (!extension) return 'no_extension';
    if (!extension.isLoaded) return 'not_loaded';
    const [major = 0, minor = 0] = extension.version.split('.').map(Number);
    if (major < OLDEST_VERSION[0] || (major === OLDEST_VERSION[0] && minor < OLDEST_VERSION[1])) return 'outdated';
    const isRecent = major > 1 || minor >= 11;
    return { schema: extension.schema, readTimeColumn: isRecent ? 'shared_blk_read_time' : 'blk_read_time' };
  }

  async list(source: StatisticsSource, sort: StatementSort, limit: number): Promise<StatementRow[]> {
    return this.db.query<StatementRow>(
      `${select(source)} ORDER BY ${STATEMENT_SORTS[sort]} DESC, s.queryid, s.userid LIMIT $1`,
      [limit],
    );
  }

  /** One statement, once for each login that has run it, the one that took most time first. */
  async find(source: StatisticsSource, fingerprint: string): Promise<StatementRow[]> {
    return this.db.query<StatementRow>(
      `${select(source)} AND s.queryid::text = $1 ORDER BY s.total_exec_time DESC, s.userid`,
      [fingerprint],
    );
  }

  /** Since when is counted. */
  async countedSince(source: StatisticsSource): Promise<Date> {
    const [info] = await this.db.query<{ since: Date }>(
      `SELECT stats_reset AS since FROM ${source.schema}.pg_stat_statements_info`,
    );
    return info!.since;
  }
}

function select({ schema, readTimeColumn }: StatisticsSource): string {
  return `SELECT s.queryid::text AS fingerprint, pg_get_userbyid(s.userid)::text AS login, s.query AS text,
      s.calls::float8 AS calls, s.total_exec_time AS "totalMs", s.mean_exec_time AS "meanMs", s.max_exec_time AS "maxMs",
      s.rows::float8 AS rows, s.shared_blks_hit::float8 AS "sharedBlocksHit",
      s.shared_blks_read::float8 AS "sharedBlocksRead", s.${readTimeColumn} AS "readMs"
    FROM ${schema}.pg_stat_statements s WHERE ${OURS}`;
}
