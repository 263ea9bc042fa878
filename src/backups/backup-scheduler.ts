import { setTimeout as sleep } from 'node:timers/promises';
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import type { Clock } from '../common/clock';
import type { BackupEnv } from '../config/backup-env';
import type { BackupSession } from '../database/backup-session';
import { BackupCatalogue } from './backup-catalogue';
import { failureOf } from './backup-job';
import { BackupLeader } from './backup-leader';
import { openBackupSession } from './backup-login';
import { type BackupTiming, DEFAULT_TIMING } from './backup-timing';
import type { BackupWatch } from './backup-watch';
import { readDrills } from './drills/drill-catalogue';
import { openEngine } from './open-engine';

/** Whoever has this lock in the database looks after backups. It lasts as long as its connection. */
const LOCK = 'tenantry:backups';

/** What is under way is abandoned within a moment; a place that does not answer must not use up the time of the whole stop (25 s). */
const STOP_PATIENCE_MS = 10_000;

/**
 * Backups that happen by themselves. Every instance tries to be elected; one is, and when it is gone, another within seconds.
 * What is due is found out from what is in the repository, so that a restart or a standstill of days is caught up with.
 * It never fails the application: what cannot be reached is warned of once, shows in metrics and health, and is tried again.
 */
export class BackupScheduler implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger('Backups');
  private readonly stop = new AbortController();
  private running: Promise<void> | undefined;
  private session: BackupSession | undefined;
  private leader: BackupLeader | undefined;
  private hasWarned = false;

  /** @param env undefined: backups are somebody else's, and nothing is done */
  constructor(
    private readonly env: BackupEnv | undefined,
    private readonly watch: BackupWatch,
    private readonly clock: Clock,
    private readonly timing: BackupTiming = DEFAULT_TIMING,
  ) {}

  onApplicationBootstrap(): void {
    if (this.env) this.running = this.run(this.env);
  }

  onModuleDestroy(): void {
    this.stop.abort();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await Promise.race([this.running, sleep(STOP_PATIENCE_MS, undefined, { ref: false })]);
  }

  /** Is this the elected instance? */
  get isElected(): boolean {
    return this.leader !== undefined;
  }

  private async run(env: BackupEnv): Promise<void> {
    await this.pause(this.timing.startDelayMs);
    while (!this.stop.signal.aborted) {
      try {
        await this.turn(env);
        if (this.hasWarned) this.logger.log('Backups are looked after again.');
        this.hasWarned = false;
      } catch (error) {
        if (!this.hasWarned) this.logger.warn(`Backups are not looked after: ${failureOf(error)}`);
        this.hasWarned = true;
        if (this.session?.lost.aborted) await this.resign(); // otherwise the server refused, and the lock is still ours
      }
      await this.pause(this.timing.turnMs);
    }
    await this.resign();
  }

  private async turn(env: BackupEnv): Promise<void> {
    if (this.session?.lost.aborted) await this.resign();
    const session = (this.session ??= await openBackupSession(env));
    if (!this.leader && (await session.tryLock(LOCK))) {
      const leader = (this.leader = new BackupLeader(openEngine(env), env, session, this.clock, this.timing));
      session.lost.addEventListener('abort', () => void leader.end()); // another may be elected from now on
      await leader.takeOver();
    }
    await this.leader?.turn();
    const catalogue = new BackupCatalogue(session);
    this.watch.overview = {
      state: await catalogue.readState(),
      runs: await catalogue.readRuns(),
      drills: await readDrills(session),
      readAt: new Date(),
    };
  }

  /** What it did as the elected one ends first: only then may another be. */
  private async resign(): Promise<void> {
    const { leader, session } = this;
    await leader?.end();
    await session?.end();
    this.leader = this.session = undefined;
  }

  private async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.stop.signal, ref: false }).catch(() => undefined);
  }
}
