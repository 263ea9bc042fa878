import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown, type OnModuleDestroy } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';
import { ConflictError, UnavailableError } from '../../common/errors';
import type { BackupEnv } from '../../config/backup-env';
import { regardless } from '../../database/abandonment';
import { failureOf } from '../backup-job';
import { codeOf } from './tenant-restore';
import { RestoreConnections, type TenantRestoreJob } from './tenant-restore-job';

/** Runs restores that were asked for over the API, beside the requests; an instance that stops ends them in order. */
export class TenantRestoreRunner implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  private readonly logger = new Logger('TenantRestores');
  private readonly stop = new AbortController();
  private readonly running = new Set<Promise<void>>();

  /** @param env undefined: this application has nothing to do with backups */
  constructor(private readonly env: BackupEnv | undefined) {}

  onApplicationBootstrap(): void {
    if (this.env) this.keep(this.tidyUp());
  }

  onModuleDestroy(): void {
    this.stop.abort();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stop.abort();
    await Promise.all(this.running);
  }

  /** Removes what killed processes have left, and undos that have expired. */
  @Cron(CronExpression.EVERY_HOUR)
  async tidyUp(): Promise<void> {
    if (!this.env) return;
    try {
      const connections = await RestoreConnections.open(this.env);
      try {
        await connections.tidyUp();
      } finally {
        await connections.close();
      }
    } catch (error) {
      this.logger.warn(`Restores of tenants are not tidied up: ${failureOf(error)}`);
    }
  }

  /**
   * The connections that a restore needs; whoever opens them closes them, or gives them to a job.
   * @throws ConflictError when backups are not configured; UnavailableError when the database cannot be reached
   */
  async connect(): Promise<RestoreConnections> {
    if (!this.env)
      throw new ConflictError(
        'backups_not_configured',
        'This application has no backups to restore from (BACKUP_DIR).',
      );
    try {
      return await RestoreConnections.open(this.env);
    } catch (error) {
      throw new UnavailableError('backups_unavailable', 'The backup login cannot connect. Try again.', 5, {
        cause: error,
      });
    }
  }

  /** Begins the work; it goes on when its request has long been answered. */
  start(job: TenantRestoreJob): void {
    const work = regardless(() => job.run({ signal: this.stop.signal }));
    this.keep(
      work.then(
        () => this.logger.log(`The restore ${job.id} of a tenant is done.`),
        (error: unknown) => this.logger.warn(`The restore ${job.id} of a tenant failed: ${codeOf(error)}.`), // the words may name people
      ),
    );
  }

  private keep(work: Promise<void>): void {
    this.running.add(work);
    void work.finally(() => this.running.delete(work));
  }
}
