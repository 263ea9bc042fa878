import type { MaterializeStep, RestorePlan } from '../backups/engine';
import type { RecoveryEvent, RecoveryPlace, RecoveryResult } from '../backups/recovery-procedure';
import { RECOVERY_STEPS, type RecoveryStep, RecoveryStoppedError } from '../backups/recovery-stopped';
import { print } from './print';
import { ProgressLine } from './progress-line';
import { formatBytes, formatDuration } from './terminal-text';

/** Tells how a restore goes: to a person, or to a program. */
export interface RestoreReport {
  plan(plan: RestorePlan, place: RecoveryPlace): void;
  event(event: RecoveryEvent): void;
  planned(): void;
  restored(plan: RestorePlan, place: RecoveryPlace, result: RecoveryResult): void;
  failed(error: unknown): void;
}

const TITLES: Record<RecoveryStep, string> = {
  restore: 'Restore',
  verify: 'Verify the data: indexes, tables, checksums, references',
  logins: 'Bring the logins to today',
  migrate: 'Apply migrations',
  'verify-again': 'Verify again: references, row-level security, logins, owners, migrations',
  'erase-again': 'Erase again what was erased after that moment',
  finish: 'Finish',
};

export class RestoreReportForPeople implements RestoreReport {
  private readonly lines = new Map<MaterializeStep, ProgressLine>();

  plan({ backup, timeline, until, logBytes, gap }: RestorePlan, place: RecoveryPlace): void {
    const what = backup
      ? `The backup ${backup.id} (${backup.finishedAt.toISOString()}, ${formatBytes(backup.clusterBytes)})`
      : "The provider's backup";
    const log = logBytes === undefined ? 'its log' : `${formatBytes(logBytes)} of log`;
    print(`${what} is restored, and ${log} of timeline ${timeline} replayed to ${until.toISOString()}.`);
    if (gap !== undefined)
      print(`LOG IS MISSING from ${gap} on: what was committed after that moment cannot be restored.`);
    if (place.kind === 'elsewhere') return print('It was restored by your provider, and is made fit to serve.');
    if (place.kind === 'new') return print(`It becomes ${place.directory}. What runs now is not touched.`);
    print(`It takes the place of ${place.pgData}, which is kept beside it (….before-<time>).`);
    print('What was written after that moment is then in the kept directory only, and in the stored log.');
  }

  event(event: RecoveryEvent): void {
    if (event.event === 'progress') {
      const { part, done, total } = event;
      const line = this.lines.get(part) ?? new ProgressLine(part, part !== 'replay');
      this.lines.set(part, line);
      return line.show(done, total);
    }
    const title = `${RECOVERY_STEPS.indexOf(event.step) + 1}/${RECOVERY_STEPS.length} ${TITLES[event.step]}`;
    if (event.state === 'done') this.tell(`${title}: done in ${formatDuration(event.seconds)}`);
  }

  planned(): void {
    print(`Steps: ${Object.values(TITLES).join('; ')}. Nothing was done (--dry-run).`);
  }

  restored({ serverMajor, until }: RestorePlan, place: RecoveryPlace, result: RecoveryResult): void {
    const { directory, kept, seconds, renewedLogins, erasedAgain, ownerless, comparedEntries } = result;
    print(
      `Restored to ${until.toISOString()} in ${formatDuration(seconds)}, all checks passed: ` +
        `${directory === undefined ? 'the restored server is' : `${directory} is a data directory`} of PostgreSQL ${serverMajor}.`,
    );
    print(
      comparedEntries === undefined
        ? 'Rows were not counted: the moment lies before its verification point, or the backup has none.'
        : `At the verification point of the backup all rows were as then (${comparedEntries} tables by tenant).`,
    );
    if (erasedAgain.length > 0)
      print(`Erased again: ${erasedAgain.length} tenants or people (erasures ${erasedAgain.join(', ')}).`);
    if (ownerless.length > 0) print(`Without an owner now, appoint one: ${ownerless.join(', ')}.`);
    if (renewedLogins.length > 0) print(`Brought to today: ${renewedLogins.join(', ')}.`);
    if (place.kind === 'elsewhere') return print('To open it for traffic, have all POSTGRES_…URL lead to it.');
    if (place.kind === 'new')
      return print('To use it, start PostgreSQL on it; beside the original with archive_mode=off.');
    print('Start Tenantry, or its server, to open it for traffic; its log is stored from there on.');
    if (kept) print(`What was there before is kept in ${kept}; remove it when nobody needs it any more.`);
  }

  failed(): void {
    for (const line of this.lines.values()) line.end();
  }

  private tell(line: string): void {
    for (const bar of this.lines.values()) bar.end();
    process.stderr.write(`${line}\n`);
  }
}

/** A line of JSON for each thing that happens. The last one has the event `result`. */
export class RestoreReportForPrograms implements RestoreReport {
  private toldAt = 0;

  plan({ backup, timeline, until, serverMajor, logBytes, gap }: RestorePlan, place: RecoveryPlace): void {
    this.line({
      event: 'plan',
      backup: backup?.id ?? null,
      timeline,
      until,
      gap: gap ?? null,
      serverMajor,
      bytes: backup?.clusterBytes ?? null,
      logBytes: logBytes ?? null,
      directory: directoryOf(place),
      inPlace: place.kind === 'in-place',
      steps: RECOVERY_STEPS,
    });
  }

  event(event: RecoveryEvent): void {
    if (event.event === 'progress') {
      const now = performance.now();
      if (now - this.toldAt < 1000 && event.done < event.total) return;
      this.toldAt = now;
    }
    this.line(event);
  }

  planned(): void {
    this.line({ event: 'result', status: 'planned' });
  }

  restored(plan: RestorePlan, _place: RecoveryPlace, result: RecoveryResult): void {
    this.line({ event: 'result', status: 'restored', until: plan.until, ...result });
  }

  failed(error: unknown): void {
    const { step, findings, directory } = error instanceof RecoveryStoppedError ? error : {};
    this.line({
      event: 'result',
      status: 'failed',
      step: step ?? null,
      findings: findings ?? [],
      directory: directory ?? null,
      message: error instanceof Error ? error.message : String(error),
    });
  }

  private line(content: object): void {
    print(JSON.stringify(content));
  }
}

function directoryOf(place: RecoveryPlace): string | null {
  if (place.kind === 'elsewhere') return null;
  return place.kind === 'new' ? place.directory : place.pgData;
}
