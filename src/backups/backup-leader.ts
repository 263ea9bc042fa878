import { Logger } from '@nestjs/common';
import type { Clock } from '../common/clock';
import type { BackupEnv } from '../config/backup-env';
import type { BackupSession } from '../database/backup-session';
import { BackupCatalogue, type BackupState, type RunTrigger } from './backup-catalogue';
import { failureOf, INSTANCE, runBackupJob } from './backup-job';
import { backupUrlOf, openBackupSession } from './backup-login';
import type { BackupTiming } from './backup-timing';
import { runDrillJob } from './drills/drill-job';
import { readDrills } from './drills/drill-catalogue';
import { dueBackup, isDrillDue, mustWait } from './due-backup';
import type { BackupEngine } from './engine';
import { receiveContinuously } from './native/continuous-receiver';
import { NativeEngine } from './native/native-engine';
import { readSlotStatus } from './native/slot-status';
import { openNotes } from './repository/open-notes';
import { RepositorySurvey } from './repository-survey';

/** What somebody must know is written at once, and all of it this often, in milliseconds: a row that is older has no author. */
const STATE_EVERY_MS = 15_000;
/** A receiver that has just been started is not called missing yet. */
const RECEIVER_GRACE_MS = 15_000;
/** So long after a drill, in milliseconds, no other begins. */
const DRILL_RETRY_MS = 30 * 60_000;
/** A backup that somebody waits for does not wait for the next checkpoint. */
const URGENT: readonly RunTrigger[] = ['first', 'gap'];

/** What the one elected instance does: receives the log, takes backups when they are due, and says how backups stand. */
export class BackupLeader {
  private readonly logger = new Logger('Backups');
  private readonly over = new AbortController();
  private readonly survey: RepositorySurvey;
  private readonly receiving: Promise<void> | undefined;
  private readonly electedAt = performance.now();
  private readonly since: Date;
  private job: Promise<void> | undefined;
  private drilling: Promise<void> | undefined;
  private drilledAt = -Infinity;
  private gap: { text: string; at: Date } | undefined;
  private written: { at: number; what: string } | undefined;

  constructor(
    private readonly engine: BackupEngine,
    private readonly env: BackupEnv,
    private readonly session: BackupSession,
    private readonly clock: Clock,
    private readonly timing: BackupTiming,
  ) {
    this.since = clock.now();
    this.survey = new RepositorySurvey(engine, timing.surveyMs);
    if (engine instanceof NativeEngine && env.schedule.receivesLog) this.receiving = this.receive(engine);
  }

  /** Before the first turn(): takes over what the one before has left. */
  async takeOver(): Promise<void> {
    const catalogue = new BackupCatalogue(this.session);
    const { gap, gapAt } = (await catalogue.readState()) ?? {};
    if (gap && gapAt) this.gap ??= { text: gap, at: gapAt };
    this.logger.log('This instance looks after backups.');
  }

  /** Sees what is there and what is due; long work goes on in the background. @throws Error when the database does not answer */
  async turn(): Promise<void> {
    const catalogue = new BackupCatalogue(this.session);
    const interrupted = await catalogue.closeInterrupted(new Date());
    if (interrupted > 0) this.logger.warn(`${interrupted} backup(s) under way ended with their process.`);
    this.survey.refresh();
    this.judgeGap();
    await this.writeState(catalogue);
    await this.backUpIfDue(catalogue);
    await this.drillIfDue();
  }

  /** Ends all of it; a backup under way is abandoned. */
  async end(): Promise<void> {
    this.over.abort();
    await Promise.all([this.job, this.drilling, this.receiving]);
  }

  private receive({ store }: NativeEngine): Promise<void> {
    let last: string | undefined;
    return receiveContinuously(
      {
        store,
        url: () => backupUrlOf(this.env),
        everyMs: this.timing.receiveEveryMs,
        onGap: (reason) => this.noteGap(reason),
        onFailure: (error) => {
          const reason = failureOf(error);
          if (reason !== last && !this.over.signal.aborted)
            this.logger.warn(`The write-ahead log is not received: ${reason}`);
          last = reason;
        },
      },
      this.over.signal,
    );
  }

  private noteGap(text: string): void {
    this.gap = { text, at: new Date() };
    this.logger.warn(`Write-ahead log is lost: ${text} A backup is taken, so that times after it can be restored.`);
  }

  /** A gap is closed by the next backup that begins after it was noticed. */
  private judgeGap(): void {
    const { backups, gap } = this.survey.latest ?? {};
    const newest = backups?.at(-1)?.startedAt;
    if (this.gap && newest && newest > this.gap.at) this.gap = undefined;
    if (gap !== undefined && !this.gap) this.noteGap(`${gap} is missing.`);
  }

  private async backUpIfDue(catalogue: BackupCatalogue): Promise<void> {
    const { backups } = this.survey.fresh ?? {};
    if (this.job || !backups || this.over.signal.aborted) return;
    const now = this.clock.now();
    const schedule = this.engine.name === 'external' ? undefined : this.env.schedule.backups;
    const newest = backups.at(-1)?.startedAt;
    const trigger = dueBackup({ schedule, newest, gapAt: this.gap?.at, now });
    if (!trigger) return;
    const { newest: runs, failuresInARow } = await catalogue.readRuns();
    if (runs.running) return; // by hand, or by an instance that has not noticed yet that it was succeeded
    if (mustWait(runs.failed?.finishedAt, failuresInARow, now, this.timing.retryMs)) return;
    this.job = this.backUp(trigger).finally(() => (this.job = undefined));
  }

  private async backUp(trigger: RunTrigger): Promise<void> {
    const { engine } = this;
    const begun = performance.now();
    // Of its own: its locks last as long as the job does.
    const session = await openBackupSession(this.env).catch(() => undefined);
    try {
      const { id } = await runBackupJob({
        engine,
        catalogue: session && new BackupCatalogue(session),
        env: this.env,
        trigger,
        checkpoint: URGENT.includes(trigger) ? 'fast' : 'spread',
        signal: this.over.signal,
      });
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      this.logger.log(`The backup ${id} was taken in ${seconds} s (${trigger}).`);
    } catch (error) {
      if (!this.over.signal.aborted) this.logger.warn(`A backup failed (${trigger}): ${failureOf(error)}`);
    } finally {
      await session?.end();
      await this.survey.outdate();
    }
  }

  /** Beside a backup, too: it reads what is stored. Where it could not even be noted, it is tried again after a while. */
  private async drillIfDue(): Promise<void> {
    const { backups } = this.survey.fresh ?? {};
    const isTooSoon = performance.now() - this.drilledAt < DRILL_RETRY_MS;
    if (this.drilling || !backups || isTooSoon || this.over.signal.aborted) return;
    const { engine } = this.env;
    if (engine.name === 'external' && engine.scratchUrl === undefined) return; // nobody has restored anything to try
    const { newest } = await readDrills(this.session);
    const { drills: schedule } = this.env.schedule;
    // What a provider holds is not known here: the first drill is at the first time from now on.
    const first = this.engine.name === 'external' ? this.since : backups[0]?.startedAt;
    if (!isDrillDue(schedule, newest?.startedAt, first, this.clock.now())) return;
    this.drilledAt = performance.now();
    this.drilling = this.drill().finally(() => (this.drilling = undefined));
  }

  private async drill(): Promise<void> {
    const { engine, env } = this;
    try {
      const { status } = await runDrillJob(env, { engine, notes: openNotes(env), signal: this.over.signal });
      if (status === 'failed')
        this.logger.error('The drill has failed: the newest backup may not be good (ops.restore_drills).');
      else this.logger.log('The drill has passed: the newest backup can be restored.');
    } catch (error) {
      if (!this.over.signal.aborted) this.logger.warn(`The drill could not be held: ${failureOf(error)}`);
    }
  }

  private async writeState(catalogue: BackupCatalogue): Promise<void> {
    const { latest } = this.survey;
    if (!latest) return; // what was known before is better than nothing
    const { isReceived, lagBytes } = await this.readReceiver();
    const state: BackupState = {
      observedAt: new Date(),
      instance: INSTANCE,
      engine: this.engine.name,
      place: this.engine.place,
      surveyedAt: latest.at,
      repositoryError: latest.error ?? null,
      backups: latest.backups?.length ?? null,
      newestBackupId: latest.backups?.at(-1)?.id ?? null,
      newestBackupAt: latest.backups?.at(-1)?.startedAt ?? null,
      coverageFrom: latest.coverage?.from ?? null,
      coverageTo: latest.coverage?.to ?? null,
      gap: this.gap?.text ?? null,
      gapAt: this.gap?.at ?? null,
      receiverUp: isReceived,
      walLagBytes: lagBytes,
    };
    const { observedAt: _observedAt, surveyedAt: _surveyedAt, walLagBytes: _walLagBytes, ...news } = state;
    const what = JSON.stringify(news);
    const now = performance.now();
    if (this.written?.what === what && now - this.written.at < STATE_EVERY_MS) return;
    await catalogue.writeState(state);
    this.written = { at: now, what };
  }

  /** Null of an engine whose log the server archives by itself: what that says of it is told by `pg_stat_archiver`. */
  private async readReceiver(): Promise<{ isReceived: boolean | null; lagBytes: number | null }> {
    if (this.engine.name !== 'native') return { isReceived: null, lagBytes: null };
    const slot = await readSlotStatus(this.session);
    const isYoung = performance.now() - this.electedAt < RECEIVER_GRACE_MS;
    return { ...slot, isReceived: slot.isReceived || (isYoung ? null : false) };
  }
}
