import type { KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { isUUID } from 'class-validator';
import passport from 'passport';
import { ExtractJwt, type JwtFromRequestFunction, type SecretOrKeyProvider, Strategy } from 'passport-jwt';
import type { RecallableRequest } from '../access/access.guard';
import type { Actor, Caller } from '../access/actor';
import { ActorsService } from '../access/actors.service';
import { originOf } from '../access/origin';
import { BoundedMap } from '../common/bounded-map';
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

export type BearerRequest = Parameters<typeof originOf>[0] &
  Partial<RecallableRequest> & { method: string; params: { tenantId?: string } };

/** An access token that has proved genuine. */
interface VerifiedToken {
  kid: string;
  claims: AccessTokenClaims;
}

/** So many are kept; each takes about a kilobyte. */
const MAX_VERIFIED = 10_000;

const bearerOf = ExtractJwt.fromAuthHeaderAsBearerToken() as (request: BearerRequest) => string | null;

/** Who sends this access token, and what may they here? */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  /** Passport is one for the whole process, two applications in it (as in tests) must not take each other's strategy. */
  readonly registeredAs = `jwt:${newId()}`;

  private readonly verified = new BoundedMap<string, VerifiedToken>(MAX_VERIFIED);

  constructor(
    env: Env,
    private readonly keys: SigningKeysService,
    private readonly actors: ActorsService,
  ) {
    super({
      jwtFromRequest: bearerOf as JwtFromRequestFunction,
      secretOrKeyProvider: keyProvider(keys),
      algorithms: [ACCESS_TOKEN_ALGORITHM],
      issuer: env.TOKEN_ISSUER,
      audience: ACCESS_TOKEN_AUDIENCE,
      passReqToCallback: true,
    });
    passport.use(this.registeredAs, this);
  }

  /**
   * Who makes a request that only reads, when nothing has to be asked for it: the token was verified before, and what the caller
   * may do is asked together with what is read (ActorsService.recall).
   */
  recall(request: BearerRequest): Actor | undefined {
    const known = this.verifiedBefore(request);
    return known && this.keys.knows(known.kid) ? this.recallActor(request, known.claims) : undefined;
  }

  /** A token that was verified before is not verified again while its key counts. */
  override authenticate(given: Parameters<Strategy['authenticate']>[0], options?: unknown): void {
    const request = given as unknown as BearerRequest;
    const known = this.verifiedBefore(request);
    if (!known) return super.authenticate(given, options);
    // Passport calls this on an object of its own for each request, which has `success` and `error`.
    const { success, error } = this as unknown as Record<'success' | 'error', (outcome: unknown) => void>;
    read(this.keys, known.kid)
      .then(async (key) => {
        if (key) success.call(this, await this.actorOf(request, known.claims));
        else super.authenticate(given, options);
      })
      .catch((reason: unknown) => error.call(this, reason));
  }

  /** Runs once the token has proved genuine. */
  async validate(request: BearerRequest, claims: AccessTokenClaims): Promise<Caller | Actor> {
    const token = bearerOf(request)!;
    const actor = await this.actorOf(request, claims);
    this.verified.set(token, { kid: headerOf(token).kid as string, claims });
    return actor;
  }

  /** The session and its rights are asked of the database for each request: no stale rights. */
  private async actorOf(request: BearerRequest, claims: AccessTokenClaims): Promise<Caller | Actor> {
    const { tenantId } = request.params;
    if (tenantId !== undefined && !isUUID(tenantId)) {
      throw new InvalidInputError([
        { pointer: '/path/tenantId', code: 'is_uuid', message: 'tenantId must be a UUID.' },
      ]);
    }
    return (
      this.recallActor(request, claims) ?? this.actors.load(claims.sid, tenantId?.toLowerCase(), originOf(request))
    );
  }

  private recallActor(request: BearerRequest, { sid }: AccessTokenClaims): Actor | undefined {
    const tenantId = request.params.tenantId?.toLowerCase();
    if (tenantId === undefined || request.method !== 'GET') return undefined;
    const origin = originOf(request);
    const actor = this.actors.recall(sid, tenantId, origin);
    if (!actor) return undefined;
    request.reload = async () => {
      request.reload = undefined;
      request.user = await this.actors.load(sid, tenantId, origin);
    };
    return actor;
  }

  private verifiedBefore(request: BearerRequest): VerifiedToken | undefined {
    const known = this.verified.get(bearerOf(request) ?? '');
    return known && known.claims.exp * 1000 > Date.now() ? known : undefined;
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
