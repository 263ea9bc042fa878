import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Counter } from 'prom-client';
import { type Samples, SharedMetricsRegistry } from './metrics-registry';
import { ServerState } from './server-state';

/** What PostgreSQL says about itself; nothing of it exists where there is no monitor login. It is asked when scraped. */
@Injectable()
export class ServerMetrics implements OnModuleInit {
  constructor(
    private readonly registry: SharedMetricsRegistry,
    private readonly server: ServerState,
  ) {}

  onModuleInit(): void {
    if (!this.server.isConfigured) return;
    this.registerActivity();
    this.registerReplication();
    this.registerArchive();
    this.registerStorage();
  }

  private registerActivity(): void {
    const { registry, server } = this;
    registry.readGauge({
      name: 'pg_up',
      help: 'Does the server answer under the monitor login?',
      read: async () => one((await server.activity.get()) ? 1 : 0),
    });
    registry.readGauge({
      name: 'pg_connections',
      help: 'Connections to this database.',
      labels: ['login', 'state'],
      read: async () =>
        (await server.activity.get())?.connections.map(({ login, state, count }) => [{ login, state }, count]),
    });
    registry.readGauge({
      name: 'pg_server_connections',
      help: 'Connections to all databases of the server.',
      read: async () => one((await server.activity.get())?.serverConnections),
    });
    registry.readGauge({
      name: 'pg_server_connections_max',
      help: 'max_connections of the server.',
      read: async () => one((await server.activity.get())?.serverConnectionsMax),
    });
    registry.readGauge({
      name: 'pg_oldest_transaction_seconds',
      help: 'Age of the oldest open transaction in this database; 0: none is open.',
      read: async () => one((await server.activity.get())?.oldestTransactionSeconds),
    });
    registry.readGauge({
      name: 'pg_lock_waits',
      help: "Connections to this database that wait for another's lock.",
      read: async () => one((await server.activity.get())?.lockWaits),
    });
  }

  private registerReplication(): void {
    const { registry, server } = this;
    registry.readGauge({
      name: 'pg_replication_lag_seconds',
      help: 'How long ago the standby was where the primary is.',
      labels: ['standby'],
      read: async () => (await server.standbys.get())?.map(({ standby, seconds }) => [{ standby }, seconds]),
    });
    registry.readGauge({
      name: 'pg_replication_lag_bytes',
      help: 'Write-ahead log that the standby has still to replay.',
      labels: ['standby'],
      read: async () => (await server.standbys.get())?.map(({ standby, bytes }) => [{ standby }, bytes]),
    });
  }

  private registerArchive(): void {
    const { registry, server } = this;
    registry.readGauge({
      name: 'wal_archive_lag_bytes',
      help: 'Write-ahead log that is not archived yet; up to one segment when all is well.',
      read: async () => one((await server.archive.get())?.lagBytes ?? undefined),
    });
    registry.readGauge({
      name: 'wal_archive_ready_segments',
      help: 'Full segments of write-ahead log that wait to be archived.',
      read: async () => one((await server.archive.get())?.readySegments),
    });
    const failed = new Counter({
      name: 'wal_archive_failed_total',
      help: "Attempts to archive that failed, since the server's statistics were reset.",
      registers: [registry],
      async collect() {
        const archive = await server.archive.get();
        this.reset();
        if (archive) this.inc(archive.failed);
        else this.remove(); // reset() leaves a 0 there
      },
    });
    failed.remove();
  }

  private registerStorage(): void {
    const { registry, server } = this;
    registry.readGauge({
      name: 'pg_database_size_bytes',
      help: 'Size of this database.',
      read: async () => one((await server.storage.get())?.databaseBytes),
    });
    registry.readGauge({
      name: 'pg_table_size_bytes',
      help: 'Size of a table with its indexes.',
      labels: ['table'],
      read: async () => (await server.storage.get())?.tables.map(({ table, bytes }) => [{ table }, bytes]),
    });
    registry.readGauge({
      name: 'pg_stat_user_tables_n_dead_tup',
      help: 'Rows of a table that are dead and not vacuumed yet.',
      labels: ['table'],
      read: async () => (await server.storage.get())?.tables.map(({ table, deadRows }) => [{ table }, deadRows]),
    });
  }
}

/** A series without labels, when there is a value. */
function one(value: number | undefined): Samples<never> | undefined {
  return value === undefined ? undefined : [[{}, value]];
}
