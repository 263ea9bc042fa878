import { Injectable } from '@nestjs/common';
import { MonitorDb } from '../database/monitor-db';

/** What the database takes up now; its growth stands in `ops.size_samples`. */
export interface Storage {
  databaseBytes: number;
  /** Tenantry's own, by `schema.name`, the largest first. Bytes with indexes and TOAST. */
  tables: { table: string; bytes: number; rows: number; deadRows: number }[];
}

/** Partitions may be many; a metric for each of more than that is nobody's to read. */
const MAX_TABLES = 100;

/** Sizes and dead rows (PostgreSQL manual, 9.28.7 and 27.2.18). */
@Injectable()
export class StorageRepository {
  constructor(private readonly db: MonitorDb) {}

  async read(): Promise<Storage> {
    const [[database], tables] = await Promise.all([
      this.db.query<{ bytes: number }>('SELECT pg_database_size(current_database())::float8 AS bytes'),
      this.db.query<Storage['tables'][number]>(
        `SELECT schemaname || '.' || relname AS "table", pg_total_relation_size(relid)::float8 AS bytes,
           n_live_tup::float8 AS rows, n_dead_tup::float8 AS "deadRows"
         FROM pg_stat_user_tables WHERE schemaname IN ('app', 'identity', 'audit', 'ops')
         ORDER BY 2 DESC, 1 LIMIT ${MAX_TABLES}`,
      ),
    ]);
    return { databaseBytes: database!.bytes, tables };
  }
}
