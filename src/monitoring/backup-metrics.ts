import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Counter } from 'prom-client';
import type { BackupState } from '../backups/backup-catalogue';
import { nextBackupAt } from '../backups/backup-verdict';
import { type BackupOverview, BackupWatch } from '../backups/backup-watch';
import { type Samples, SharedMetricsRegistry } from './metrics-registry';

/** How backups stand. Every instance tells alike what the elected one has written; a scrape asks nobody. */
@Injectable()
export class BackupMetrics implements OnModuleInit {
  constructor(
    private readonly registry: SharedMetricsRegistry,
    private readonly watch: BackupWatch,
  ) {}

  onModuleInit(): void {
    this.registry.readGauge({
      name: 'backup_configured',
      help: 'Are there to be backups that the application knows of? Not where it was told of none, or a provider takes them.',
      read: () => [[{}, this.watch.isConfigured && this.watch.overview?.state?.engine !== 'external' ? 1 : 0]],
    });
    this.registerCounter();
    this.registerRuns();
    this.registerRepository();
    this.registerLog();
  }

  private registerCounter(): void {
    const { watch } = this;
    new Counter({
      name: 'backup_runs_total',
      help: 'Backups in the catalogue, by what came of them; a restored database counts its own past.',
      labelNames: ['result'],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const result of ['succeeded', 'failed'] as const)
          if (watch.overview) this.inc({ result }, watch.overview.runs.newest[result]?.total ?? 0);
      },
    });
  }

  private registerRuns(): void {
    const ofRuns = (read: (overview: BackupOverview) => Date | number | null | undefined) => () =>
      typed(this.watch.overview && read(this.watch.overview));
    this.registry.readGauge({
      name: 'backup_last_success_timestamp_seconds',
      help: 'When the newest backup in the repository began.',
      labels: ['type'],
      read: ofRuns(({ state }) => state?.newestBackupAt),
    });
    this.registry.readGauge({
      name: 'backup_last_attempt_timestamp_seconds',
      help: 'When a backup was last begun, whatever came of it.',
      labels: ['type'],
      read: ofRuns(({ runs }) =>
        latest([runs.newest.running, runs.newest.succeeded, runs.newest.failed].map((run) => run?.startedAt)),
      ),
    });
    this.registry.readGauge({
      name: 'backup_last_failure_timestamp_seconds',
      help: 'When a backup failed last.',
      labels: ['type'],
      read: ofRuns(({ runs }) => runs.newest.failed?.finishedAt),
    });
    this.registry.readGauge({
      name: 'backup_due_timestamp_seconds',
      help: 'When the next backup is due, by the schedule and the newest one.',
      labels: ['type'],
      read: ofRuns((overview) => this.watch.schedule && nextBackupAt(overview, this.watch.schedule)),
    });
    this.registry.readGauge({
      name: 'backup_failures_in_a_row',
      help: 'Backups that failed since the last one that succeeded.',
      labels: ['type'],
      read: ofRuns(({ runs }) => runs.failuresInARow),
    });
    this.registry.readGauge({
      name: 'backup_duration_seconds',
      help: 'How long the newest backup that succeeded took.',
      labels: ['type'],
      read: ofRuns(({ runs: { newest } }) =>
        newest.succeeded?.finishedAt
          ? (newest.succeeded.finishedAt.getTime() - newest.succeeded.startedAt.getTime()) / 1000
          : undefined,
      ),
    });
    this.registry.readGauge({
      name: 'backup_size_bytes',
      help: 'Size of the newest backup that succeeded: of the cluster, and as it is stored.',
      labels: ['of'],
      read: () => {
        const { clusterBytes = null, storedBytes = null } = this.watch.overview?.runs.newest.succeeded ?? {};
        const sizes: [string, number | null][] = [
          ['cluster', clusterBytes],
          ['stored', storedBytes],
        ];
        return sizes.flatMap(([of, bytes]) => (bytes === null ? [] : [[{ of }, bytes]]));
      },
    });
  }

  private registerRepository(): void {
    this.registerState(
      'backup_observed_timestamp_seconds',
      'When an elected instance last looked after backups.',
      'observedAt',
    );
    this.registerState(
      'backup_coverage_start_timestamp_seconds',
      'The first moment that can be restored to.',
      'coverageFrom',
    );
    this.registerState(
      'backup_coverage_end_timestamp_seconds',
      'The last moment that can be restored to.',
      'coverageTo',
    );
    this.registry.readGauge({
      name: 'backup_repository_up',
      help: 'Can the place where backups lie be read?',
      read: () => one(this.watch.overview?.state, ({ repositoryError }) => repositoryError === null),
    });
  }

  private registerLog(): void {
    this.registry.readGauge({
      name: 'wal_archive_gap',
      help: 'Is log missing since the newest backup? Then later moments cannot be restored until the next one.',
      read: () => one(this.watch.overview?.state, ({ gap }) => gap !== null),
    });
    this.registerState('wal_receiver_up', 'Does somebody receive the write-ahead log?', 'receiverUp');
    this.registerState(
      'wal_receiver_lag_bytes',
      'Log that the server keeps because it is not stored yet; up to two segments when all is well.',
      'walLagBytes',
    );
  }

  private registerState(
    name: string,
    help: string,
    column: 'observedAt' | 'coverageFrom' | 'coverageTo' | 'receiverUp' | 'walLagBytes',
  ): void {
    this.registry.readGauge({ name, help, read: () => one(this.watch.overview?.state, (state) => state[column]) });
  }
}

type Value = Date | number | boolean | null | undefined;

const numberOf = (value: Date | number | boolean): number =>
  value instanceof Date ? value.getTime() / 1000 : Number(value);

/** A series without labels, when there is a value. */
function one(state: BackupState | null | undefined, read: (state: BackupState) => Value): Samples<never> | undefined {
  const value = state && read(state);
  return value === null || value === undefined ? undefined : [[{}, numberOf(value)]];
}

/** A series of base backups, when there is a value. */
const typed = (value: Value): Samples<'type'> | undefined =>
  value === null || value === undefined ? undefined : [[{ type: 'base' }, numberOf(value)]];

function latest(times: readonly (Date | undefined)[]): Date | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}
