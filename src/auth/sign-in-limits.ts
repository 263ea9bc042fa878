import { Injectable } from '@nestjs/common';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { TooManyRequestsError } from '../common/errors';
import { SecretBox } from '../config/secret-box';
import { asDomainError } from '../database/database-errors';
import { Pools } from '../database/pools';
import { networkOf } from './network';

const WINDOW_SECONDS = 15 * 60;

/** Failures within the window, after which each further try is refused unseen (docs/decisions/0010). */
const LIMITS = {
  /** One address, whichever accounts it tries; an office behind one address shares them. */
  address: 30,
  /** One account, from all addresses that it has never signed in from together. */
  account: 10,
  /** One account from one address that it has signed in from: strangers elsewhere cannot lock its owner out. */
  'known-address': 10,
  /** The current password of a signed-in person: a stolen session must not be able to guess it. */
  'current-password': 10,
} as const;
type LimitName = keyof typeof LIMITS;

/** A try that is counted as failed until it is given back. */
export interface CountedAttempt {
  /** Fails as the database does; what is not given back counts as a failure until the window ends. */
  giveBack(): Promise<void>;
}

/** Refused by a limit. `isFirst` tells the refusal that opened the pause from those that follow in it. */
export class AttemptsExhaustedError extends TooManyRequestsError {
  constructor(
    retryAfterSeconds: number,
    readonly isFirst: boolean,
  ) {
    super('too_many_attempts', 'Too many failed attempts. Try again later.', retryAfterSeconds);
  }
}

/**
 * Bounds how often passwords can be guessed. A try is counted before the password is looked at and given back when it
 * was right, so that parallel guesses cannot pass together. The table holds keyed digests: no address, no e-mail.
 */
@Injectable()
export class SignInLimits {
  private readonly limiters: Record<LimitName, RateLimiterPostgres>;

  constructor(
    pools: Pools,
    private readonly box: SecretBox,
  ) {
    // Unnamed statements: named ones would be lost behind PgBouncer in transaction mode.
    const storeClient = {
      query: ({ text, values }: { text: string; values: unknown[] }) => pools.platform.query(text, values),
    };
    const limiter = (name: LimitName): RateLimiterPostgres =>
      new RateLimiterPostgres({
        storeClient,
        storeType: 'pool',
        schemaName: 'identity',
        tableName: 'sign_in_attempts',
        tableCreated: true,
        clearExpiredByTimeout: false, // AuthCleanup does it, on one instance at a time
        keyPrefix: name,
        points: LIMITS[name],
        duration: WINDOW_SECONDS,
      });
    this.limiters = {
      address: limiter('address'),
      account: limiter('account'),
      'known-address': limiter('known-address'),
      'current-password': limiter('current-password'),
    };
  }

  /**
   * Counts a sign-in, whether or not the e-mail address belongs to an account.
   * @param knownAddresses from which the account has signed in before
   * @throws AttemptsExhaustedError when the address or the account has had too many failures
   */
  async countSignIn(email: string, address: string, knownAddresses: readonly string[]): Promise<CountedAttempt> {
    const network = networkOf(address);
    const isKnown = knownAddresses.some((known) => networkOf(known) === network);
    const byAddress = await this.consume('address', network);
    // Only now: an address that may not try any more must not use up the account's tries.
    const byAccount = isKnown
      ? await this.consume('known-address', `${email} ${network}`)
      : await this.consume('account', email);
    return { giveBack: async () => void (await Promise.all([byAddress.giveBack(), byAccount.giveBack()])) };
  }

  /** @throws AttemptsExhaustedError when the current password was wrong too often */
  async countCurrentPassword(accountId: string): Promise<CountedAttempt> {
    return this.consume('current-password', accountId);
  }

  /** Under which the failed tries of somebody are counted, to be forgotten with them. */
  storedKeysOf({ id, email, addresses }: { id: string; email: string; addresses: readonly string[] }): string[] {
    const networks = [...new Set(addresses.map((address) => networkOf(address)))];
    return [
      this.storedKey('account', email),
      this.storedKey('current-password', id),
      ...networks.map((network) => this.storedKey('known-address', `${email} ${network}`)),
    ];
  }

  private storedKey(name: LimitName, subject: string): string {
    return this.limiters[name].getKey(this.digestOf(subject));
  }

  private digestOf(subject: string): string {
    return this.box.mac('sign-in-attempts', subject).toString('base64url');
  }

  private async consume(name: LimitName, subject: string): Promise<CountedAttempt> {
    const key = this.digestOf(subject);
    const limiter = this.limiters[name];
    try {
      await limiter.consume(key);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw asDomainError(refusal);
      throw new AttemptsExhaustedError(
        Math.ceil(refusal.msBeforeNext / 1000),
        refusal.consumedPoints === LIMITS[name] + 1,
      );
    }
    return { giveBack: async () => void (await limiter.reward(key)) };
  }
}
