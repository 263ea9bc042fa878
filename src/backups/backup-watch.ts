import type { BackupEnv } from '../config/backup-env';
import type { BackupState, Runs } from './backup-catalogue';
import type { DrillOverview } from './drills/drill-catalogue';

/** What the database knows of backups at a moment: ops.backup_state, ops.backup_runs, ops.restore_drills. */
export interface BackupOverview {
  readAt: Date;
  /** null: no instance was ever elected. */
  state: BackupState | null;
  runs: Runs;
  drills: DrillOverview;
}

/** How backups stand, for metrics and health. Every instance reads it every few seconds; nobody who asks here waits for anything. */
export class BackupWatch {
  /** The newest reading; undefined: there has been none. */
  overview: BackupOverview | undefined;

  /** @param schedule undefined: the application has nothing to do with backups */
  constructor(readonly schedule: BackupEnv['schedule'] | undefined) {}

  get isConfigured(): boolean {
    return this.schedule !== undefined;
  }
}
