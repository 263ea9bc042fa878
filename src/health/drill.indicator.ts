import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { BackupWatch } from '../backups/backup-watch';
import { drillProblems } from '../backups/drills/drill-verdict';
import { Clock } from '../common/clock';
import { NOT_CONFIGURED, UNREADABLE } from './reason';

/** What is older than this, in milliseconds, was not read because it could not be: every instance reads it every 5 s. */
const STALE_MS = 60_000;

/** Was the newest backup proved, and what did it take? Never down: requests do not need backups. */
@Injectable()
export class DrillIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly watch: BackupWatch,
    private readonly clock: Clock,
  ) {}

  check(): HealthIndicatorResult {
    const session = this.indicators.check('backup_drill');
    const { schedule, overview } = this.watch;
    const now = this.clock.now();
    if (!schedule) return session.up(NOT_CONFIGURED);
    if (!overview || now.getTime() - overview.readAt.getTime() > STALE_MS) return session.degraded(UNREADABLE);
    if (!schedule.drills && !overview.drills.newest) return session.up(NOT_CONFIGURED);
    const { newest, lastSuccessAt } = overview.drills;
    const problems = drillProblems(overview, now);
    const found = {
      lastRunAt: newest?.startedAt ?? null,
      lastSuccessAt,
      backupId: newest?.backupId ?? null,
      rtoSeconds: newest?.rtoSeconds ?? null,
      rpoSeconds: newest?.rpoSeconds ?? null,
      comparedEntries: newest?.comparedEntries ?? null,
      mismatchedEntries: newest?.mismatchedEntries ?? null,
      corruptObjects: newest?.corruptObjects ?? null,
      problems,
    };
    return problems.length > 0 ? session.degraded(found) : session.up(found);
  }
}
