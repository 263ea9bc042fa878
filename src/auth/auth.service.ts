import { Injectable } from '@nestjs/common';
import type { Caller, Origin } from '../access/actor';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { UnauthenticatedError } from '../common/errors';
import { newId } from '../common/id';
import { Env } from '../config/env';
import { regardless } from '../database/abandonment';
import { PlatformDb, type PlatformTx } from '../database/platform-db';
import { AccessTokensService } from './access-tokens.service';
import { AccountTenantsRepository } from './account-tenants.repository';
import type { MeDto, TokensDto } from './auth.dto';
import { hashRefreshToken, newRefreshToken } from './refresh-token';
import { RefreshTokensRepository, type RefreshTokenRow } from './refresh-tokens.repository';
import { SessionsRepository } from './sessions.repository';
import { invalidCredentials, type VerifiedPerson } from './sign-in.service';

/** Two tabs may come with the same refresh token, or an answer may be lost: within this time of its first use each gets a successor of its own. */
const REUSE_GRACE_MS = 10_000;
const DAY_MS = 24 * 3_600_000;
const MAX_TENANTS_SHOWN = 100;

/** What a refresh comes to; the successor's plain text leaves the transaction only with it. */
type Refresh =
  | { outcome: 'renewed'; accountId: string; sessionId: string; refreshToken: string }
  | { outcome: 'unknown' | 'ended' | 'reused' };

/** Sessions from their start to their end, and the tokens that stand for them. */
@Injectable()
export class AuthService {
  constructor(
    private readonly db: PlatformDb,
    private readonly tenants: AccountTenantsRepository,
    private readonly sessions: SessionsRepository,
    private readonly refreshTokens: RefreshTokensRepository,
    private readonly accessTokens: AccessTokensService,
    private readonly audit: AuditLog,
    private readonly env: Env,
    private readonly clock: Clock,
  ) {}

  /**
   * Starts a session.
   * @throws UnauthenticatedError when the password was changed, or the account disabled, since it was verified
   */
  async signIn(person: VerifiedPerson, origin: Origin): Promise<TokensDto> {
    const { accountId } = person;
    const sessionId = newId();
    const now = this.clock.now();
    const { token, hash } = newRefreshToken();
    const { address, userAgent } = origin;
    const expiresAt = new Date(now.getTime() + this.env.SESSION_TTL_DAYS * DAY_MS);
    const session = { id: sessionId, accountId, address, userAgent, createdAt: now, expiresAt };
    const who = { type: 'user', accountId, origin } as const;
    const target = { type: 'Session', id: sessionId };
    const recording = this.audit.recordingForPlatform(who, { action: 'session.started', target });
    const started = await this.sessions
      .start(this.db, session, hash, person, recording)
      .catch((error: unknown) => this.giveBack(person, error));
    if (!started) throw invalidCredentials();
    return this.tokens(accountId, sessionId, token);
  }

  /**
   * Exchanges a refresh token for new tokens. It is good for one use; a later one means that somebody else has it, and
   * ends the session (docs/decisions/0009).
   * @throws UnauthenticatedError `invalid_refresh_token`, `session_ended` or `refresh_token_reused`
   */
  async refresh(token: string, origin: Origin): Promise<TokensDto> {
    const hash = hashRefreshToken(token);
    const refresh = hash && (await this.db.run((tx) => this.useRefreshToken(tx, hash, origin)));
    switch (refresh?.outcome) {
      case 'renewed':
        return this.tokens(refresh.accountId, refresh.sessionId, refresh.refreshToken);
      case 'ended':
        throw new UnauthenticatedError('session_ended', 'This session has ended. Sign in again.');
      case 'reused':
        throw new UnauthenticatedError(
          'refresh_token_reused',
          'This refresh token was used before, so its session was ended. Sign in again.',
        );
      case 'unknown':
      case undefined:
        throw new UnauthenticatedError('invalid_refresh_token', 'This refresh token is not valid. Sign in again.');
    }
  }

  /** Ends the session that asks: both its tokens are dead at once, on every instance. */
  async signOut(caller: Caller): Promise<void> {
    const { accountId, sessionId } = caller;
    const recording = this.audit.recordingForPlatform(caller, {
      action: 'session.ended',
      target: { type: 'Session', id: sessionId },
      after: { reason: 'signed_out' },
    });
    // Whether or not somebody else has ended it meanwhile.
    await this.sessions.end(this.db, accountId, sessionId, 'signed_out', this.clock.now(), recording);
  }

  async me(caller: Caller): Promise<MeDto> {
    const tenants = await this.db.read((tx) => this.tenants.list(tx, caller.accountId, MAX_TENANTS_SHOWN));
    return {
      id: caller.accountId,
      email: caller.email,
      name: caller.name,
      platformAdministrator: caller.isPlatformAdministrator,
      tenants,
    };
  }

  /** Whatever was in the way of the session, or if nobody waits for it any more: the password was right. */
  private async giveBack({ attempt }: VerifiedPerson, error: unknown): Promise<never> {
    await regardless(() => attempt.giveBack()).catch(() => undefined);
    throw error;
  }

  /** Decides under the lock of token and session; what follows from it goes with COMMIT. It returns what it decided: throwing would undo the end of a session. */
  private async useRefreshToken(tx: PlatformTx, hash: Buffer<ArrayBuffer>, origin: Origin): Promise<Refresh> {
    const now = this.clock.now();
    const token = await this.refreshTokens.findForUse(tx, hash, now);
    if (!token) return { outcome: 'unknown' };
    if (!token.isAlive) return { outcome: 'ended' };
    const { accountId, sessionId } = token;
    const who = { type: 'user', accountId, origin } as const;
    const target = { type: 'Session', id: sessionId };
    if (isReused(token, now)) {
      this.sessions.endAtEnd(tx, sessionId, 'reuse_detected', now);
      await this.audit.recordForPlatform(
        tx,
        { type: 'anonymous', origin },
        { action: 'session.reuse_detected', result: 'denied', target },
      );
      return { outcome: 'reused' };
    }
    const successor = newRefreshToken();
    if (!token.usedAt) this.refreshTokens.markUsed(tx, hash, now);
    this.refreshTokens.create(tx, sessionId, successor.hash, now);
    this.sessions.touch(tx, sessionId, now);
    await this.audit.recordForPlatform(tx, who, { action: 'session.refreshed', target });
    return { outcome: 'renewed', accountId, sessionId, refreshToken: successor.token };
  }

  private async tokens(accountId: string, sessionId: string, refreshToken: string): Promise<TokensDto> {
    const { accessToken, expiresIn } = await this.accessTokens.issue(accountId, sessionId);
    return { accessToken, refreshToken, tokenType: 'Bearer', expiresIn };
  }
}

function isReused({ usedAt }: RefreshTokenRow, now: Date): boolean {
  return usedAt !== null && now.getTime() - usedAt.getTime() > REUSE_GRACE_MS;
}
