import { Injectable } from '@nestjs/common';
import jwt from 'jsonwebtoken';
import { Clock } from '../common/clock';
import { newId } from '../common/id';
import { Env } from '../config/env';
import { SigningKeysService } from './signing-keys.service';

export const ACCESS_TOKEN_ALGORITHM = 'ES256';
export const ACCESS_TOKEN_AUDIENCE = 'tenantry';
/** RFC 9068, 2.1: so that no other kind of token can be taken for one. */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

/** What an access token says: who (`sub`, the account) in which session (`sid`), never what they may. */
export interface AccessTokenClaims {
  sub: string;
  sid: string;
  jti: string;
  /** Seconds since 1970: the token counts until then. */
  exp: number;
}

/** Makes access tokens. */
@Injectable()
export class AccessTokensService {
  constructor(
    private readonly keys: SigningKeysService,
    private readonly env: Env,
    private readonly clock: Clock,
  ) {}

  /** @returns the token and how many seconds it lives */
  async issue(accountId: string, sessionId: string): Promise<{ accessToken: string; expiresIn: number }> {
    const { kid, privateKey } = await this.keys.signingKey();
    const expiresIn = this.env.ACCESS_TOKEN_TTL_SECONDS;
    const accessToken = jwt.sign({ sid: sessionId, iat: Math.floor(this.clock.now().getTime() / 1000) }, privateKey, {
      algorithm: ACCESS_TOKEN_ALGORITHM,
      header: { alg: ACCESS_TOKEN_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid },
      issuer: this.env.TOKEN_ISSUER,
      audience: ACCESS_TOKEN_AUDIENCE,
      subject: accountId,
      jwtid: newId(),
      expiresIn,
    });
    return { accessToken, expiresIn };
  }
}
