import { Injectable, Logger } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Clock } from '../common/clock';
import { PlatformDb } from '../database/platform-db';
import { AuthCleanupRepository } from './auth-cleanup.repository';
import { SigningKeysService } from './signing-keys.service';

/** For so long an expired session still tells which addresses its account is known from. */
const SESSION_RETENTION_DAYS = 30;
const DAY_MS = 24 * 3_600_000;

/** Removes what nobody needs any more, and replaces old signing keys. */
@Injectable()
export class AuthCleanup {
  private readonly logger = new Logger('AuthCleanup');

  constructor(
    private readonly db: PlatformDb,
    private readonly leftovers: AuthCleanupRepository,
    private readonly keys: SigningKeysService,
    private readonly clock: Clock,
  ) {}

  /** Each hour, not on the full one, when everybody's jobs run. */
  @Cron('17 * * * *')
  async run(): Promise<void> {
    try {
      await this.removeLeftovers();
      await this.keys.rotate();
    } catch (error) {
      this.logger.warn(`The clean-up waits for the next hour: ${String(error)}`);
    }
  }

  /** On one instance at a time; the others leave it to that one. */
  private async removeLeftovers(): Promise<void> {
    await this.db.run(async (tx) => {
      if (!(await this.leftovers.tryLock(tx))) return;
      const now = this.clock.now();
      await this.leftovers.removeDeadRefreshTokens(tx, now);
      await this.leftovers.removeSessionsExpiredBefore(tx, new Date(now.getTime() - SESSION_RETENTION_DAYS * DAY_MS));
      await this.leftovers.removeExpiredAttempts(tx, now);
    });
  }
}
