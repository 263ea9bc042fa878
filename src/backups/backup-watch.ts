import type { BackupState, Runs } from './backup-catalogue';
import type { BackupEnv } from '../config/backup-env';

/** What is known of backups: ops.backup_state and ops.backup_runs at a moment. */
export interface BackupOverview {
  readAt: Date;
  /** null: no instance was ever elected. */
  state: BackupState | null;
  runs: Runs;
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
