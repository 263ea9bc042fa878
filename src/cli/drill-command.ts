import type { Command } from 'commander';
import { runDrillJob } from '../backups/drills/drill-job';
import { DRILL_PHASES, type DrillPhase, type DrillReport } from '../backups/drills/drill-report';
import { openEngine } from '../backups/open-engine';
import { openNotes } from '../backups/repository/open-notes';
import type { EntryState } from '../backups/verification-point';
import { readBackupEnv } from '../config/backup-env';
import { EXIT } from './exit-codes';
import { untilInterrupted } from './interruption';
import { print } from './print';
import { ProgressLine } from './progress-line';
import { formatDuration } from './terminal-text';

const HELP = `
A restore for practice, beside the server that serves: the newest backup is
brought back in a scratch directory (DRILL_DIR, otherwise in DATA_DIR), held
against what stood there when it was taken, table by table and tenant by tenant,
replayed to the end of the stored log, verified, migrated, verified again, and
removed. What it has shown is kept in the repository and in ops.restore_drills.
The application does the same every night (DRILL_SCHEDULE).

Exit code 1: the backup is not what was backed up; what differs is named.

Examples:
  npm run tenantry -- drill
  npm run tenantry -- drill --json | jq '{status, rtoSeconds, rpoSeconds}'`;

export function registerDrillCommand(program: Command): void {
  program
    .command('drill')
    .description('Proves a backup by restoring it, and says how long that takes (RTO) and what would be lost (RPO).')
    .option('--backup <id>', 'this one, not the newest')
    .option('--json', 'as JSON, for programs')
    .addHelpText('after', HELP)
    .action(drill);
}

async function drill(options: { backup?: string; json?: true }): Promise<void> {
  const env = readBackupEnv();
  const lines = new PhaseLines(options.json !== true);
  const report = await untilInterrupted((signal) =>
    runDrillJob(env, {
      engine: openEngine(env),
      notes: openNotes(env),
      backupId: options.backup,
      onPhase: (phase, done, total) => lines.show(phase, done, total),
      signal,
    }),
  ).finally(() => lines.end());
  if (options.json) print(JSON.stringify(report, null, 2));
  else tell(report);
  if (report.status === 'failed') process.exitCode = EXIT.failed;
}

/** A line for each phase: a bar while it can be told how far it is. */
class PhaseLines {
  private phase: DrillPhase | undefined;
  private line: ProgressLine | undefined;

  constructor(private readonly isWanted: boolean) {}

  show(phase: DrillPhase, done = 0, total = 0): void {
    if (phase !== this.phase) {
      this.end();
      this.phase = phase;
      this.line = new ProgressLine(phase, this.isWanted);
    }
    if (total > 0 && phase !== 'replay') this.line?.show(done, total);
  }

  end(): void {
    this.line?.end();
    if (this.isWanted && this.phase) process.stderr.write(`${this.phase}: done\n`);
    this.line = this.phase = undefined;
  }
}

function tell(drilled: DrillReport): void {
  const { status, backupId, rtoSeconds, rpoSeconds, comparedEntries, replayedTo, report } = drilled;
  print(`The drill of the backup ${backupId ?? '(none)'} has ${status}.`);
  if (report.error) print(`  stopped: ${report.error}`);
  for (const { table, tenantId, expected, found } of report.mismatches)
    print(
      `  DIFFERS: ${table}, ${tenantId ? `tenant ${tenantId}` : 'no tenant'}: ${rowsOf(expected)} were backed up, ${rowsOf(found)} came back`,
    );
  for (const { check, database, problem } of report.findings) print(`  NOT RIGHT (${check}, ${database}): ${problem}`);
  if (comparedEntries === null)
    print('  It was compared with nothing: the backup has no verification point in the stored log.');
  else print(`  ${comparedEntries} entries (tables by tenant) were compared, ${drilled.mismatchedEntries} differ.`);
  if (report.migrations.length > 0) print(`  Migrations that it lacked were applied: ${report.migrations.join(', ')}.`);
  if (rtoSeconds !== null) print(`  RTO ${formatDuration(rtoSeconds)}: so long it took until it could have served.`);
  if (rpoSeconds !== null)
    print(`  RPO ${formatDuration(rpoSeconds)}: the last commit that came back is of ${replayedTo?.toISOString()}.`);
  const phases = DRILL_PHASES.filter((phase) => report.seconds[phase] !== undefined);
  print(`  ${phases.map((phase) => `${phase} ${report.seconds[phase]!.toFixed(1)} s`).join(', ')}`);
}

const rowsOf = (state: EntryState): string => (state ? `${state.rows} rows (checksum ${state.checksum})` : 'no rows');
