import { Injectable } from '@nestjs/common';
import type { Origin } from '../access/actor';
import { AuditLog } from '../audit/audit-log';
import { DomainError, ForbiddenError, UnauthenticatedError } from '../common/errors';
import { PasswordsService } from '../credentials/passwords.service';
import { regardless } from '../database/abandonment';
import { PlatformDb } from '../database/platform-db';
import { signInAttempted } from './sign-in-attempted';
import type { SignInAccount } from './sign-in-attempts.repository';
import { type CountedAttempt, SignInLimits } from './sign-in-limits';

/** Somebody who has just proved their password. */
export interface VerifiedPerson {
  accountId: string;
  /** What the password was verified against: it must still be there when the session starts. */
  passwordHash: string;
  /** The same password under today's parameters, where they have risen. */
  rehash: string | undefined;
  /** To be given back: the password was right. */
  attempt: CountedAttempt;
}

interface Refusal {
  result: 'failure' | 'denied';
  reason: 'wrong_password' | 'account_disabled' | 'too_many_attempts';
}

/** The one answer to an unknown e-mail address, a wrong password, and one that has just been changed. */
export function invalidCredentials(): UnauthenticatedError {
  return new UnauthenticatedError('invalid_credentials', 'The e-mail address or the password is wrong.');
}

/** Decides whether e-mail address and password belong together. An unknown address takes the same way, and the same time. */
@Injectable()
export class SignInService {
  constructor(
    private readonly db: PlatformDb,
    private readonly passwords: PasswordsService,
    private readonly limits: SignInLimits,
    private readonly audit: AuditLog,
  ) {}

  /**
   * @throws UnauthenticatedError `invalid_credentials`
   * @throws ForbiddenError `account_disabled`, to those alone who know the password
   * @throws TooManyRequestsError `too_many_attempts`
   */
  async verify(email: string, password: string, origin: Origin): Promise<VerifiedPerson> {
    try {
      const person = await this.prove(email, password, origin);
      signInAttempted.publish({ result: 'success' });
      return person;
    } catch (error) {
      signInAttempted.publish({ result: error instanceof DomainError ? error.code : 'error' });
      throw error;
    }
  }

  private async prove(email: string, password: string, origin: Origin): Promise<VerifiedPerson> {
    const { account, attempt, refusal } = await this.limits.countSignIn(email, origin.address);
    if (refusal) {
      // Of a pause, the refusal that opens it is recorded; the rest of a flood would only fill the trail.
      if (refusal.isFirst) await this.recordRefusal(account, origin, { result: 'denied', reason: 'too_many_attempts' });
      throw refusal;
    }
    const passwordHash = account?.passwordHash ?? undefined;
    const matches = await this.giveBackOnFault(attempt, () => this.passwords.verify(passwordHash, password));
    if (!account || passwordHash === undefined || !matches) {
      await this.recordRefusal(account, origin, { result: 'failure', reason: 'wrong_password' });
      throw invalidCredentials();
    }
    if (account.status !== 'active') {
      await this.recordRefusal(account, origin, { result: 'denied', reason: 'account_disabled' });
      throw new ForbiddenError('account_disabled', 'This account is disabled. Ask an administrator of the platform.');
    }
    const rehash = this.passwords.isOutdated(passwordHash)
      ? await this.giveBackOnFault(attempt, () => this.passwords.hash(password))
      : undefined;
    return { accountId: account.id, passwordHash, rehash, attempt };
  }

  /** A password that could not be looked at was not guessed, and one that was right is no failure. */
  private async giveBackOnFault<Result>(attempt: CountedAttempt, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      await attempt.giveBack();
      throw error;
    }
  }

  /** Of an unknown address nothing is kept: people type passwords there. Who hangs up is recorded all the same. */
  private async recordRefusal(
    account: SignInAccount | undefined,
    origin: Origin,
    { result, reason }: Refusal,
  ): Promise<void> {
    const who = { type: 'anonymous', origin } as const;
    const recording = this.audit.recordingForPlatform(who, {
      action: 'session.refused',
      result,
      ...(account && { target: { type: 'Account', id: account.id } }),
      after: { reason },
    });
    await regardless(() => this.db.write([recording()]));
  }
}
