import type { KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { isUUID } from 'class-validator';
import passport from 'passport';
import { ExtractJwt, type SecretOrKeyProvider, Strategy } from 'passport-jwt';
import type { Actor, Caller } from '../access/actor';
import { ActorsService } from '../access/actors.service';
import { originOf } from '../access/origin';
import { DomainError, InvalidInputError, UnauthenticatedError, UnavailableError } from '../common/errors';
import { newId } from '../common/id';
import { Env } from '../config/env';
import {
  ACCESS_TOKEN_ALGORITHM,
  ACCESS_TOKEN_AUDIENCE,
  ACCESS_TOKEN_TYPE,
  type AccessTokenClaims,
} from './access-tokens.service';
import { SigningKeysService } from './signing-keys.service';

type BearerRequest = Parameters<typeof originOf>[0] & { params: { tenantId?: string } };

/** Who sends this access token, and what may they here? */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  /** Passport is one for the whole process, two applications in it (as in tests) must not take each other's strategy. */
  readonly registeredAs = `jwt:${newId()}`;

  constructor(
    env: Env,
    keys: SigningKeysService,
    private readonly actors: ActorsService,
  ) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKeyProvider: keyProvider(keys),
      algorithms: [ACCESS_TOKEN_ALGORITHM],
      issuer: env.TOKEN_ISSUER,
      audience: ACCESS_TOKEN_AUDIENCE,
      passReqToCallback: true,
    });
    passport.use(this.registeredAs, this);
  }

  /** Runs once the token has proved genuine. The session and its rights are asked of the database each time: no stale rights. */
  async validate(request: BearerRequest, claims: AccessTokenClaims): Promise<Caller | Actor> {
    const { tenantId } = request.params;
    if (tenantId !== undefined && !isUUID(tenantId)) {
      throw new InvalidInputError([
        { pointer: '/path/tenantId', code: 'is_uuid', message: 'tenantId must be a UUID.' },
      ]);
    }
    return this.actors.load(claims.sid, tenantId?.toLowerCase(), originOf(request));
  }
}

/** Our own key of the token's `kid`. A key that a token brings (`jwk`, `jku`, `x5u`) is never looked at (RFC 8725, 3.10). */
function keyProvider(keys: SigningKeysService): SecretOrKeyProvider<BearerRequest> {
  return (_request, token: string, done) => {
    findKey(keys, token).then(
      (key) => done(null, key as unknown as string), // passport-jwt's types do not know KeyObject, jsonwebtoken does
      (error: unknown) => done(error),
    );
  };
}

async function findKey(keys: SigningKeysService, token: string): Promise<KeyObject> {
  const { typ, kid } = headerOf(token);
  const key = typ === ACCESS_TOKEN_TYPE && typeof kid === 'string' ? await read(keys, kid) : undefined;
  if (!key) throw new UnauthenticatedError('invalid_token', 'This access token is not valid.');
  return key;
}

async function read(keys: SigningKeysService, kid: string): Promise<KeyObject | undefined> {
  try {
    return await keys.find(kid);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new UnavailableError('signing_keys_unavailable', 'The signing keys cannot be read. Try again.', 1, {
      cause: error,
    });
  }
}

function headerOf(token: string): { typ?: unknown; kid?: unknown } {
  try {
    return Object(JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString())) as object;
  } catch {
    return {};
  }
}
