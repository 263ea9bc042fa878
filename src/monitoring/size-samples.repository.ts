import { Injectable } from '@nestjs/common';
import { MonitorDb, type MonitorQuery } from '../database/monitor-db';

export type SizeKind = 'database' | 'table' | 'tenant';

/** How large something was when a sample was taken. */
export interface Size {
  kind: SizeKind;
  /** Of the database, `schema.table`, or the tenant's id. */
  name: string;
  bytes: number;
  /** As statistics have it; null for the database. */
  rows: number | null;
}

/** A size at a moment. */
export interface SizePoint {
  at: Date;
  bytes: number;
}

/** Of each kind but the database, which is one; the next ones have no history. */
export const LARGEST_KEPT = 100;

/** Under which only one instance samples at a time (PostgreSQL's advisory locks, for one transaction). */
const LOCK = `hashtext('tenantry:size-sampler')`;

/** The samples of sizes in `ops.size_samples`, and what they are taken of. */
@Injectable()
export class SizeSamplesRepository {
  constructor(private readonly db: MonitorDb) {}

  /** All of what `work` does in one transaction, on a connection that serves no request. */
  transaction<Result>(work: (query: MonitorQuery) => Promise<Result>): Promise<Result> {
    return this.db.transaction(work);
  }

  /** @returns false when another instance has it; it ends with the transaction */
  async tryLock(query: MonitorQuery): Promise<boolean> {
    const [row] = await query<{ locked: boolean }>(`SELECT pg_try_advisory_xact_lock(${LOCK}) AS locked`);
    return row?.locked === true;
  }

  async existsSince(query: MonitorQuery, moment: Date): Promise<boolean> {
    return (await query('SELECT FROM ops.size_samples WHERE taken_at >= $1 LIMIT 1', [moment])).length > 0;
  }

  /** The database's size and the tables', with indexes and TOAST. */
  async insertDatabaseAndTables(query: MonitorQuery, takenAt: Date): Promise<void> {
    await query(
      `INSERT INTO ops.size_samples (taken_at, kind, name, bytes, estimated_rows)
       SELECT $1::timestamptz, 'database', current_database(), pg_database_size(current_database()), NULL
       UNION ALL
       (SELECT $1, 'table', schemaname || '.' || relname, pg_total_relation_size(relid), n_live_tup
        FROM pg_stat_user_tables WHERE schemaname IN ('app', 'identity', 'audit', 'ops')
        ORDER BY 4 DESC LIMIT ${LARGEST_KEPT})`,
      [takenAt],
    );
  }

  /** The largest tenants, by what ops.tenant_sizes() tells (docs/database-schema.md says how). The platform's own rows are none's. */
  async insertTenants(query: MonitorQuery, takenAt: Date, platformTenantId: string): Promise<void> {
    await query(
      `INSERT INTO ops.size_samples (taken_at, kind, name, bytes, estimated_rows)
       SELECT $1::timestamptz, 'tenant', tenant_id, sum(bytes), sum(estimated_rows)
       FROM ops.tenant_sizes() WHERE tenant_id <> $2::uuid
       GROUP BY tenant_id ORDER BY 4 DESC, 3 LIMIT ${LARGEST_KEPT}`,
      [takenAt, platformTenantId],
    );
  }

  /** What is older than `hourlyUntil` shrinks to the first sample of its day (UTC), what is older than `dailyUntil` goes. */
  async thinOut(query: MonitorQuery, hourlyUntil: Date, dailyUntil: Date): Promise<void> {
    await query(
      `DELETE FROM ops.size_samples WHERE taken_at < $2 OR (taken_at < $1 AND taken_at NOT IN (
         SELECT min(taken_at) FROM ops.size_samples WHERE taken_at < $1 GROUP BY date_trunc('day', taken_at, 'UTC')))`,
      [hourlyUntil, dailyUntil],
    );
  }

  /** The newest sample, each kind's largest first. Undefined: none has been taken. */
  async readLatest(): Promise<{ takenAt: Date; sizes: Size[] } | undefined> {
    const rows = await this.db.query<Size & { takenAt: Date }>(
      `SELECT taken_at AS "takenAt", kind, name, bytes::float8 AS bytes, estimated_rows::float8 AS rows
       FROM ops.size_samples WHERE taken_at = (SELECT max(taken_at) FROM ops.size_samples)
       ORDER BY kind, bytes DESC, name`,
    );
    const sizes = rows.map(({ kind, name, bytes, rows: count }) => ({ kind, name, bytes, rows: count }));
    return rows.length === 0 ? undefined : { takenAt: rows[0]!.takenAt, sizes };
  }

  /**
   * The first sample of each day (UTC) since a moment, and the newest, by `kind name`: days weigh alike, however many samples
   * they have. Oldest first.
   */
  async readDailySince(moment: Date): Promise<Map<string, SizePoint[]>> {
    const rows = await this.db.query<{ key: string; at: Date; bytes: number }>(
      `SELECT kind || ' ' || name AS key, taken_at AS at, bytes::float8 AS bytes FROM ops.size_samples
       WHERE taken_at IN (
         SELECT min(taken_at) FROM ops.size_samples WHERE taken_at >= $1 GROUP BY date_trunc('day', taken_at, 'UTC')
         UNION ALL SELECT max(taken_at) FROM ops.size_samples)
       ORDER BY 1, 2`,
      [moment],
    );
    const series = new Map<string, SizePoint[]>();
    for (const { key, at, bytes } of rows) {
      const points = series.get(key) ?? [];
      points.push({ at, bytes });
      series.set(key, points);
    }
    return series;
  }

  /** The database's sizes since a moment, oldest first. */
  readDatabaseSince(moment: Date): Promise<SizePoint[]> {
    return this.db.query<SizePoint>(
      `SELECT taken_at AS at, bytes::float8 AS bytes FROM ops.size_samples
       WHERE kind = 'database' AND taken_at >= $1 ORDER BY 1`,
      [moment],
    );
  }
}
