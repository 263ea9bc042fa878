import { Injectable } from '@nestjs/common';
import type { Caller } from '../access/actor';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { ConflictError, InvalidInputError } from '../common/errors';
import { PasswordsService } from '../credentials/passwords.service';
import { regardless } from '../database/abandonment';
import { PlatformDb } from '../database/platform-db';
import { AccountTenantsRepository } from './account-tenants.repository';
import { AccountsRepository } from './accounts.repository';
import type { ChangePasswordDto } from './auth.dto';
import { SessionsRepository } from './sessions.repository';
import { SignInLimits } from './sign-in-limits';

/** Names of as many tenants are kept out of the password. */
const MAX_TENANTS_CONSIDERED = 100;

/** A person's own password. */
@Injectable()
export class OwnPasswordService {
  constructor(
    private readonly db: PlatformDb,
    private readonly accounts: AccountsRepository,
    private readonly tenants: AccountTenantsRepository,
    private readonly sessions: SessionsRepository,
    private readonly passwords: PasswordsService,
    private readonly limits: SignInLimits,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Changes the caller's password and ends all other sessions.
   * @throws InvalidInputError `wrong_password` for the current one; the policy's codes for the new one
   * @throws TooManyRequestsError when the current one was wrong too often
   */
  async change(caller: Caller, { currentPassword, newPassword }: ChangePasswordDto): Promise<void> {
    const { accountId } = caller;
    const [currentHash, tenants] = await this.db.read(async (tx) => [
      await this.accounts.passwordHashOf(tx, accountId),
      await this.tenants.list(tx, accountId, MAX_TENANTS_CONSIDERED),
    ]);
    await this.verifyCurrent(caller, currentHash, currentPassword);
    const personal = [caller.email, caller.name, ...tenants.flatMap(({ name, slug }) => [name, slug])];
    this.passwords.assertAcceptable(newPassword, personal, '/newPassword');
    const newHash = await this.passwords.hash(newPassword);
    await this.db.run(async (tx) => {
      await this.accounts.lockForUpdate(tx, accountId);
      if ((await this.accounts.passwordHashOf(tx, accountId)) !== currentHash) {
        throw new ConflictError('password_changed', 'The password was changed meanwhile. Sign in again.');
      }
      const now = this.clock.now();
      await this.accounts.setPasswordHash(tx, accountId, newHash, now);
      const endedSessions = await this.sessions.endAll(tx, accountId, 'password_changed', now, caller.sessionId);
      await this.audit.recordForPlatform(tx, caller, {
        action: 'password.changed',
        target: { type: 'Account', id: accountId },
        after: { endedSessions },
      });
    });
  }

  private async verifyCurrent(caller: Caller, currentHash: string | undefined, password: string): Promise<void> {
    const attempt = await this.limits.countCurrentPassword(caller.accountId);
    if (!(await this.passwords.verify(currentHash, password))) {
      const recording = this.audit.recordingForPlatform(caller, {
        action: 'password.changed',
        result: 'failure',
        target: { type: 'Account', id: caller.accountId },
        after: { reason: 'wrong_password' },
      });
      await regardless(() => this.db.write([recording()])); // even if he has hung up
      const message = 'This is not your current password.';
      throw new InvalidInputError([{ pointer: '/currentPassword', code: 'wrong_password', message }], 'wrong_password');
    }
    await attempt.giveBack();
  }
}
