import type { BackupState } from '../backup-catalogue';
import type { DrillOverview } from './drill-catalogue';
import { drillProblems } from './drill-verdict';

const NOW = new Date('2026-11-23T12:00:00Z');
const hoursAgo = (hours: number): Date => new Date(NOW.getTime() - hours * 3_600_000);
const drill = (status: 'succeeded' | 'failed', hours: number): DrillOverview['newest'] =>
  ({ status, startedAt: hoursAgo(hours) }) as DrillOverview['newest'];

describe('drillProblems', () => {
  it.each<[string, DrillOverview['newest'], number | null, number | null, string[]]>([
    ['nothing of one that has passed', drill('succeeded', 49), 49, 200, []],
    ['one that has failed', drill('failed', 1), 25, 200, ['The drill of 2026-11-23T11:00:00.000Z has failed.']],
    ['the lack of one', drill('succeeded', 51), 51, 200, ['No drill has passed since 2026-11-21T09:00:00.000Z.']],
    ['that there has never been one', null, null, 51, ['No backup was ever proved by a drill.']],
    ['nothing while backups are new', null, null, 49, []],
    ['nothing where there is nothing to prove', null, null, null, []],
  ])('tells %s', (_, newest, success, coverage, problems) => {
    const at = (hours: number | null): Date | null => (hours === null ? null : hoursAgo(hours));
    const state = { coverageFrom: at(coverage) } as BackupState;
    expect(drillProblems({ drills: { newest, lastSuccessAt: at(success) }, state }, NOW)).toEqual(problems);
  });
});
