import type { BackupOverview } from '../backup-watch';

/** Two nights and two hours: one drill may fail to happen. */
const OLD_MS = 50 * 3_600_000;

/** What is wrong with drills, in words that name no place; nothing: all is well. `ops.restore_drills` says more. */
export function drillProblems({ drills, state }: Pick<BackupOverview, 'drills' | 'state'>, now: Date): string[] {
  const { newest, lastSuccessAt } = drills;
  const isOld = (then: Date): boolean => now.getTime() - then.getTime() > OLD_MS;
  if (newest?.status === 'failed') return [`The drill of ${newest.startedAt.toISOString()} has failed.`];
  if (lastSuccessAt) return isOld(lastSuccessAt) ? [`No drill has passed since ${lastSuccessAt.toISOString()}.`] : [];
  return state?.coverageFrom && isOld(state.coverageFrom) ? ['No backup was ever proved by a drill.'] : [];
}
