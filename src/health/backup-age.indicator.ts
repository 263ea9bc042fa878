import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { nextBackupAt, problemsOf } from '../backups/backup-verdict';
import { BackupWatch } from '../backups/backup-watch';
import { Clock } from '../common/clock';
import { NOT_CONFIGURED, UNREADABLE } from './reason';

/** What is older than this, in milliseconds, was not read because it could not be: every instance reads it every 5 s. */
const STALE_MS = 60_000;

/** How old is the newest backup, and to what times can be restored? Never down: requests do not need backups. */
@Injectable()
export class BackupAgeIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly watch: BackupWatch,
    private readonly clock: Clock,
  ) {}

  check(): HealthIndicatorResult {
    const session = this.indicators.check('backup_age');
    const { schedule, overview } = this.watch;
    if (!schedule) return session.up(NOT_CONFIGURED);
    const now = this.clock.now();
    if (!overview || now.getTime() - overview.readAt.getTime() > STALE_MS) return session.degraded(UNREADABLE);
    const { state } = overview;
    const problems = problemsOf(overview, schedule, now);
    const newest = state?.newestBackupAt ?? null;
    const found = {
      newestBackupAt: newest,
      ageSeconds: newest && Math.round((now.getTime() - newest.getTime()) / 1000),
      nextBackupAt: nextBackupAt(overview, schedule) ?? null,
      coverage: state?.coverageFrom && state.coverageTo ? { from: state.coverageFrom, to: state.coverageTo } : null,
      walLagBytes: state?.walLagBytes ?? null,
      problems,
    };
    return problems.length > 0 ? session.degraded(found) : session.up(found);
  }
}
