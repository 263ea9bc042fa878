import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { type BackupOverview, BackupWatch } from '../backups/backup-watch';
import { Clock } from '../common/clock';
import { NOT_CONFIGURED, UNREADABLE } from './reason';

/** What is older than this, in milliseconds, was not read because it could not be: every instance reads it every 5 s. */
const STALE_MS = 60_000;
/** Two nights and two hours: one drill may fail to happen. */
const OLD_MS = 50 * 3_600_000;

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
    const problems = problemsOf(overview, now);
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

/** In words that name no place; `ops.restore_drills` says more. */
function problemsOf({ drills: { newest, lastSuccessAt }, state }: BackupOverview, now: Date): string[] {
  const isOld = (then: Date | null | undefined): boolean => now.getTime() - (then?.getTime() ?? now.getTime()) > OLD_MS;
  if (newest?.status === 'failed') return [`The drill of ${newest.startedAt.toISOString()} has failed.`];
  if (lastSuccessAt) return isOld(lastSuccessAt) ? [`No drill since ${lastSuccessAt.toISOString()}.`] : [];
  return isOld(state?.coverageFrom) ? ['No backup was ever proved by a drill.'] : [];
}
