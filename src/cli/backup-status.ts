import { nextBackupAt, problemsOf } from '../backups/backup-verdict';
import type { BackupOverview } from '../backups/backup-watch';
import { drillProblems } from '../backups/drills/drill-verdict';
import type { BackupSchedule } from '../config/backup-schedule';
import { formatBytes, formatDuration, formatTime } from './terminal-text';

/** What the application has to do with backups, and how they stand. */
export interface BackupStatus {
  /** Undefined: nothing. */
  schedule: BackupSchedule | undefined;
  /** null: it cannot be read. */
  overview: BackupOverview | null;
}

/** What is wrong, in words; nothing: all is well, or the application has nothing to do with it. */
export function backupProblems({ schedule, overview }: BackupStatus, now: Date): string[] {
  if (!schedule) return [];
  if (!overview) return ['How backups stand cannot be read.'];
  const isDrilled = schedule.drills !== undefined || overview.drills.newest !== null;
  return [...problemsOf(overview, schedule, now), ...(isDrilled ? drillProblems(overview, now) : [])];
}

/** For programs; null: the application has nothing to do with backups, or it cannot be read. */
export function backupReport({ schedule, overview }: BackupStatus): object | null {
  if (!schedule || !overview) return null;
  const { state, runs, drills } = overview;
  return { ...state, nextBackupAt: nextBackupAt(overview, schedule) ?? null, runs: runs.newest, drill: drills.newest };
}

/** For people. */
export function backupLines({ schedule, overview }: BackupStatus, now: Date): string[] {
  if (!schedule) return ['not configured: they are not taken by Tenantry (docs/backups.md)'];
  if (!overview?.state) return ['not known yet'];
  const { state, runs, drills } = overview;
  const ago = (moment: Date): string => `${formatDuration((now.getTime() - moment.getTime()) / 1000)} ago`;
  const next = nextBackupAt(overview, schedule);
  const size = runs.newest.succeeded?.storedBytes;
  const { newest: drill } = drills;
  return [
    state.newestBackupAt
      ? `${state.backups} backups; the newest ${ago(state.newestBackupAt)}${size ? `, ${formatBytes(size)}` : ''}`
      : 'no backup yet',
    `next: ${next ? formatTime(next) : 'soon'}${runs.newest.running ? '; one is being taken now' : ''}`,
    state.coverageFrom && state.coverageTo
      ? `restores to any moment from ${formatTime(state.coverageFrom)} to ${ago(state.coverageTo)}`
      : 'nothing can be restored yet',
    `write-ahead log: ${logOf(state.receiverUp)}, ${formatBytes(state.walLagBytes ?? 0)} not stored yet`,
    `last drill: ${drill ? `${drill.status} ${ago(drill.startedAt)}` : 'none yet'}`,
    `stored in ${state.place}`,
  ];
}

const logOf = (isReceived: boolean | null): string =>
  isReceived === null ? 'archived by the server' : isReceived ? 'received' : 'not received';
