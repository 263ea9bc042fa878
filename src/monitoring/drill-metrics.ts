import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { DrillOverview } from '../backups/drills/drill-catalogue';
import { BackupWatch } from '../backups/backup-watch';
import { SharedMetricsRegistry } from './metrics-registry';

type Newest = NonNullable<DrillOverview['newest']>;

/** What the newest drill has shown (`ops.restore_drills`), as every instance has read it. */
@Injectable()
export class DrillMetrics implements OnModuleInit {
  constructor(
    private readonly registry: SharedMetricsRegistry,
    private readonly watch: BackupWatch,
  ) {}

  onModuleInit(): void {
    this.register(
      'backup_drill_last_success_timestamp_seconds',
      'When the newest drill began that found a backup sound.',
      ({ lastSuccessAt }) => lastSuccessAt,
    );
    const ofNewest = (name: string, help: string, read: (newest: Newest) => Date | number | null): void =>
      this.register(name, help, ({ newest }) => newest && read(newest));
    ofNewest(
      'backup_drill_last_run_timestamp_seconds',
      'When the newest drill began, whatever came of it.',
      ({ startedAt }) => startedAt,
    );
    ofNewest(
      'backup_drill_succeeded',
      'Did the newest drill find its backup sound? All else is about the newest drill, too.',
      ({ status }) => (status === 'succeeded' ? 1 : 0),
    );
    ofNewest(
      'backup_drill_rto_seconds',
      'How long it took from the decision to restore to a verified, migrated cluster.',
      ({ rtoSeconds }) => rtoSeconds,
    );
    ofNewest(
      'backup_drill_rpo_seconds',
      'How old the newest commit was that came back.',
      ({ rpoSeconds }) => rpoSeconds,
    );
    ofNewest(
      'backup_drill_compared_entries',
      'Tables by tenant that were held against what stood in the database when the backup was taken.',
      ({ comparedEntries }) => comparedEntries,
    );
    ofNewest(
      'backup_drill_mismatched_entries',
      'Those of them that came back otherwise than they were.',
      ({ mismatchedEntries }) => mismatchedEntries,
    );
    ofNewest(
      'backup_drill_corrupt_objects',
      'Tables, indexes and files of the backup that are damaged.',
      ({ corruptObjects }) => corruptObjects,
    );
  }

  private register(name: string, help: string, read: (drills: DrillOverview) => Date | number | null): void {
    this.registry.readGauge({
      name,
      help,
      read: () => {
        const { overview } = this.watch;
        const value = overview ? read(overview.drills) : null;
        if (value === null) return undefined;
        return [[{}, value instanceof Date ? value.getTime() / 1000 : value]];
      },
    });
  }
}
