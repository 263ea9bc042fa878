import { Injectable } from '@nestjs/common';
import { Clock } from '../common/clock';
import { TooManyRequestsError } from '../common/errors';
import { SecretBox } from '../config/secret-box';
import type { WriteStatement } from '../database/atomic-write';
import { PlatformDb } from '../database/platform-db';
import { networkOf } from './network';
import { type Counter, type SignInAccount, SignInAttemptsRepository, type Window } from './sign-in-attempts.repository';

const WINDOW_MS = 15 * 60_000;

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

/** Refused by a limit. `isFirst` tells the refusal that opened the pause from those that follow in it. */
export class AttemptsExhaustedError extends TooManyRequestsError {
  constructor(
    retryAfterSeconds: number,
    readonly isFirst: boolean,
  ) {
    super('too_many_attempts', 'Too many failed attempts. Try again later.', retryAfterSeconds);
  }
}

/** A try that is counted as failed until it is given back. */
export interface CountedAttempt {
  /** As statements of another write; none once it is given back. */
  givingBack(): WriteStatement[];
  /** Fails as the database does; what is not given back counts as a failure until the window ends. */
  giveBack(): Promise<void>;
}

/** A sign-in that was counted, and the account that it is about. */
export interface CountedSignIn {
  account: SignInAccount | undefined;
  attempt: CountedAttempt;
  /** When the address or the account has had too many failures. */
  refusal: AttemptsExhaustedError | undefined;
}

/**
 * Bounds how often passwords can be guessed. A try is counted before the password is looked at and given back when it
 * was right, so that parallel guesses cannot pass together. The table holds keyed digests: no address, no e-mail.
 */
@Injectable()
export class SignInLimits {
  constructor(
    private readonly db: PlatformDb,
    private readonly attempts: SignInAttemptsRepository,
    private readonly box: SecretBox,
    private readonly clock: Clock,
  ) {}

  /** Counts a sign-in, whether or not the e-mail address belongs to an account, and finds the account. */
  async countSignIn(email: string, address: string): Promise<CountedSignIn> {
    const network = networkOf(address);
    const keys = {
      address: this.storedKey('address', network),
      account: this.storedKey('account', email),
      knownAddress: this.storedKey('known-address', `${email} ${network}`),
    };
    const window = this.window();
    const counted = await this.attempts.countSignIn({ email, network }, keys, LIMITS.address, window);
    const { account, byAddress, byAccount } = counted;
    const limit = byAccount?.key === keys.knownAddress ? LIMITS['known-address'] : LIMITS.account;
    return {
      account,
      attempt: this.attemptAt(byAccount ? [byAddress, byAccount] : [byAddress]),
      refusal: refusalOf(byAddress, LIMITS.address, window) ?? (byAccount && refusalOf(byAccount, limit, window)),
    };
  }

  /** @throws AttemptsExhaustedError when the current password was wrong too often */
  async countCurrentPassword(accountId: string): Promise<CountedAttempt> {
    const window = this.window();
    const counter = await this.attempts.count(this.storedKey('current-password', accountId), window);
    const refusal = refusalOf(counter, LIMITS['current-password'], window);
    if (refusal) throw refusal;
    return this.attemptAt([counter]);
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
    return `${name}:${this.box.mac('sign-in-attempts', subject).toString('base64url')}`;
  }

  private window(): Window {
    const now = this.clock.now().getTime();
    return { now, end: now + WINDOW_MS };
  }

  private attemptAt(counters: readonly Counter[]): CountedAttempt {
    let keys = counters.map(({ key }) => key);
    const givingBack = (): WriteStatement[] => this.attempts.givingBack(keys, this.clock.now().getTime());
    const giveBack = async (): Promise<void> => {
      const statements = givingBack();
      keys = [];
      await this.db.write(statements);
    };
    return { givingBack, giveBack };
  }
}

function refusalOf({ points, expire }: Counter, limit: number, { now }: Window): AttemptsExhaustedError | undefined {
  if (points <= limit) return undefined;
  return new AttemptsExhaustedError(Math.ceil((Number(expire) - now) / 1000), points === limit + 1);
}
