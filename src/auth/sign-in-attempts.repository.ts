import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import type { WriteStatement } from '../database/atomic-write';
import { PlatformDb } from '../database/platform-db';

/** A counter, once a try was counted. */
export interface Counter {
  key: string;
  /** Tries in its window. */
  points: number;
  /** When the window ends, in milliseconds since 1970. */
  expire: bigint;
}

/** The time in which tries are counted together, in milliseconds since 1970. A counter whose window is over begins anew. */
export interface Window {
  now: number;
  end: number;
}

/** What a sign-in must know of an account before it looks at the password. */
export interface SignInAccount {
  id: string;
  status: string;
  passwordHash: string | null;
}

/** Of somebody who tries to sign in. */
export interface SignInKeys {
  address: string;
  account: string;
  /** Counts instead of `account` where the account has signed in from this network before. */
  knownAddress: string;
}

export interface CountedTry {
  byAddress: Counter;
  /** Undefined: the address may not try any more, so it has not used up a try of the account. */
  byAccount: Counter | undefined;
  account: SignInAccount | undefined;
}

interface CountedRow extends Counter {
  account: { id: string; status: string; password_hash: string | null } | null;
}

/** How often passwords were tried, shared by all instances. */
@Injectable()
export class SignInAttemptsRepository {
  constructor(private readonly db: PlatformDb) {}

  async count(key: string, window: Window): Promise<Counter> {
    const [[counter]] = (await this.db.write([
      Prisma.sql`
        INSERT INTO identity.sign_in_attempts AS a (key, points, expire) VALUES (${key}, 1, ${window.end})
        ${onceMore(window)}`,
    ])) as unknown as [[Counter]];
    return counter;
  }

  /**
   * The account of an e-mail address, and the try to sign in to it counted: for the address, and if that may still try, for the
   * account. In one statement, and always the address first, so that two can wait for each other in no circle.
   * @param network from which somebody tries (network.ts)
   */
  async countSignIn(
    { email, network }: { email: string; network: string },
    keys: SignInKeys,
    maxOfAddress: number,
    window: Window,
  ): Promise<CountedTry> {
    const [rows] = await this.db.write([
      Prisma.sql`
        WITH account AS (
          SELECT u.id, u.status, c.password_hash,
            EXISTS (SELECT FROM identity.sessions s WHERE s.user_id = u.id AND s.network = ${network}) AS is_known
          FROM identity.users u
          LEFT JOIN identity.credentials c ON c.user_id = u.id
          WHERE u.email = ${email}
        ), by_address AS (
          INSERT INTO identity.sign_in_attempts AS a (key, points, expire) VALUES (${keys.address}, 1, ${window.end})
          ${onceMore(window)}
        ), by_account AS (
          INSERT INTO identity.sign_in_attempts AS a (key, points, expire)
          SELECT CASE WHEN account.is_known THEN ${keys.knownAddress} ELSE ${keys.account} END, 1, ${window.end}
          FROM by_address LEFT JOIN account ON true
          WHERE by_address.points <= ${maxOfAddress}
          ${onceMore(window)}
        )
        SELECT counted.*, (SELECT to_json(account) FROM account) AS account
        FROM (SELECT * FROM by_address UNION ALL SELECT * FROM by_account) counted`,
    ]);
    const counters = rows as unknown as CountedRow[];
    const byAddress = counters.find(({ key }) => key === keys.address)!;
    const { account } = byAddress;
    return {
      byAddress,
      byAccount: counters.find((counter) => counter !== byAddress),
      account: account ? { id: account.id, status: account.status, passwordHash: account.password_hash } : undefined,
    };
  }

  /** @param keys in the order in which they were counted */
  givingBack(keys: readonly string[], now: number): WriteStatement[] {
    return keys.map(
      (key) => Prisma.sql`
        UPDATE identity.sign_in_attempts SET points = points - 1 WHERE key = ${key} AND points > 0 AND expire > ${now}`,
    );
  }
}

function onceMore({ now }: Window): Prisma.Sql {
  return Prisma.sql`
    ON CONFLICT (key) DO UPDATE SET
      points = CASE WHEN a.expire <= ${now} THEN 1 ELSE a.points + 1 END,
      expire = CASE WHEN a.expire <= ${now} THEN excluded.expire ELSE a.expire END
    RETURNING key, points, expire`;
}
