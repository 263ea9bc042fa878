import { Injectable } from '@nestjs/common';
import { MonitorDb } from '../database/monitor-db';

/** Who uses the server, and who waits. */
export interface Activity {
  /** Of this database, by login and state (`active`, `idle`, `idle in transaction`, …). */
  connections: { login: string; state: string; count: number }[];
  /** Of all databases of the server: they share `serverConnectionsMax`. */
  serverConnections: number;
  serverConnectionsMax: number;
  /** Of all logins but the monitor's own; 0 when no transaction is open. */
  oldestTransactionSeconds: number;
  /** Connections that wait for another's lock. */
  lockWaits: number;
}

/** What `pg_stat_activity` says (PostgreSQL manual, 27.2.3); the state of others' connections takes pg_monitor. */
@Injectable()
export class ActivityRepository {
  constructor(private readonly db: MonitorDb) {}

  async read(): Promise<Activity> {
    const [connections, [figures]] = await Promise.all([
      this.db.query<Activity['connections'][number]>(
        `SELECT coalesce(usename::text, 'unknown') AS login, coalesce(state, 'unknown') AS state, count(*)::int AS count
         FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
         GROUP BY 1, 2 ORDER BY 1, 2`,
      ),
      this.db.query<Omit<Activity, 'connections'>>(
        `SELECT count(*)::int AS "serverConnections",
           current_setting('max_connections')::int AS "serverConnectionsMax",
           coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
             FILTER (WHERE datname = current_database() AND usename IS DISTINCT FROM current_user), 0)::float8 AS "oldestTransactionSeconds",
           (count(*) FILTER (WHERE datname = current_database() AND wait_event_type = 'Lock'))::int AS "lockWaits"
         FROM pg_stat_activity WHERE backend_type = 'client backend'`,
      ),
    ]);
    return { connections, ...figures! };
  }
}
