import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import jwt, { type SignOptions } from 'jsonwebtoken';
import type { Caller } from '../access/actor';
import type { ActorsService } from '../access/actors.service';
import { Public } from '../access/can.decorator';
import { ForbiddenError, UnavailableError } from '../common/errors';
import { newId } from '../common/id';
import { Env } from '../config/env';
import { AccessTokensService } from './access-tokens.service';
import { AuthenticationGuard } from './authentication.guard';
import { JwtStrategy } from './jwt.strategy';
import { newRefreshToken } from './refresh-token';
import { generateSigningKey, publicKeyOf } from './signing-key';
import type { SigningKeysService } from './signing-keys.service';

const ours = generateSigningKey();
const foreign = generateSigningKey();
const { kid } = ours.jwk;
const ACCOUNT = newId();
const SESSION = newId();
const TENANT = newId();
const env = new Env();

const keys = {
  find: (wanted: string) => Promise.resolve(wanted === kid ? publicKeyOf(ours.jwk) : undefined),
  signingKey: () => Promise.resolve({ kid, privateKey: ours.privateKey }),
} as unknown as SigningKeysService;

const load = jest.fn((sessionId: string, tenantId?: string) =>
  Promise.resolve({ sessionId, tenantId } as unknown as Caller),
);
const strategy = new JwtStrategy(env, keys, { load } as unknown as ActorsService);
const guard = new AuthenticationGuard(strategy, new Reflector());
const tokens = new AccessTokensService(keys, env, { now: () => new Date() });

class Routes {
  private(): void {}

  @Public()
  public(): void {}
}

function requestWith(authorization: string | undefined, params: object = {}) {
  return { id: 'r1', ip: '203.0.113.7', params, headers: { ...(authorization && { authorization }) } } as {
    user?: unknown;
  };
}

async function enter(request: object, handler: () => void = Routes.prototype.private): Promise<unknown> {
  const http = { getRequest: () => request, getResponse: () => ({}) };
  return guard.canActivate({ getHandler: () => handler, switchToHttp: () => http } as unknown as ExecutionContext);
}

const enterWith = (token: string) => enter(requestWith(`Bearer ${token}`));

/** A token like ours but for what is given. */
function forge(
  options: SignOptions & { typ?: string } = {},
  key: KeyObject = ours.privateKey,
  claims: object = {},
): string {
  const { typ = 'at+jwt', header, ...rest } = options;
  return jwt.sign({ sid: SESSION, ...claims }, key, {
    algorithm: 'ES256',
    header: { alg: 'ES256', typ, kid, ...header },
    issuer: 'tenantry',
    audience: 'tenantry',
    subject: ACCOUNT,
    expiresIn: 600,
    ...rest,
  });
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const now = (): number => Math.floor(Date.now() / 1000);
const claims = (): object => ({
  sub: ACCOUNT,
  sid: SESSION,
  iss: 'tenantry',
  aud: 'tenantry',
  iat: now(),
  exp: now() + 600,
});

/** The confusion of a public key with a shared secret, by hand: the library refuses to make such a token. */
function signedWithPublicKey(secret: string | Buffer): string {
  const body = `${part({ alg: 'HS256', typ: 'at+jwt', kid })}.${part(claims())}`;
  return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
}

describe('AuthenticationGuard', () => {
  beforeEach(() => load.mockClear());

  it('lets in whom an access token of ours names, and asks what they may', async () => {
    const { accessToken, expiresIn } = await tokens.issue(ACCOUNT, SESSION);
    const request = requestWith(`Bearer ${accessToken}`, { tenantId: TENANT });
    await expect(enter(request)).resolves.toBe(true);
    expect(expiresIn).toBe(600);
    expect(load).toHaveBeenCalledWith(SESSION, TENANT, { address: '203.0.113.7', userAgent: '', requestId: 'r1' });
    expect(request.user).toEqual({ sessionId: SESSION, tenantId: TENANT });
  });

  it('says who in the token, never what they may', async () => {
    const { accessToken } = await tokens.issue(ACCOUNT, SESSION);
    expect(jwt.decode(accessToken, { complete: true })).toMatchObject({
      header: { alg: 'ES256', typ: 'at+jwt', kid },
      payload: { sub: ACCOUNT, sid: SESSION, iss: 'tenantry', aud: 'tenantry' },
    });
    expect(Object.keys(jwt.decode(accessToken) as object).toSorted()).toEqual([
      'aud',
      'exp',
      'iat',
      'iss',
      'jti',
      'sid',
      'sub',
    ]);
  });

  it('takes the forged tokens below for genuine where nothing is wrong with them', async () => {
    await expect(enterWith(forge())).resolves.toBe(true);
  });

  const spki = createPublicKey(ours.privateKey).export({ type: 'spki', format: 'pem' });
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;

  it.each<[string, () => string]>([
    ['alg none, unsigned', () => `${part({ alg: 'none', typ: 'at+jwt', kid })}.${part(claims())}.`],
    ['alg none with a signature', () => `${part({ alg: 'none', typ: 'at+jwt', kid })}.${part(claims())}.c2ln`],
    ['HS256 with the public key in PEM as the secret', () => signedWithPublicKey(spki)],
    ['HS256 with the public JWK as the secret', () => signedWithPublicKey(JSON.stringify(ours.jwk))],
    ['HS256 with an empty secret', () => signedWithPublicKey('')],
    ['ES384 under our kid', () => forge({ algorithm: 'ES384', header: { alg: 'ES384' } }, p384)],
    ['RS256 under our kid', () => forge({ algorithm: 'RS256', header: { alg: 'RS256' } }, rsa)],
    ['a foreign key under our kid', () => forge({}, foreign.privateKey)],
    [
      'a foreign key under its own kid',
      () => forge({ header: { alg: 'ES256', kid: foreign.jwk.kid } }, foreign.privateKey),
    ],
    [
      'a foreign key that comes along as jwk',
      () => forge({ header: { alg: 'ES256', jwk: foreign.jwk } as SignOptions['header'] & object }, foreign.privateKey),
    ],
    [
      'a foreign key that jku leads to',
      () => forge({ header: { alg: 'ES256', jku: 'https://evil.example/jwks' } }, foreign.privateKey),
    ],
    ['a kid that is a path', () => forge({ header: { alg: 'ES256', kid: '../../dev/null' } })],
    ['a kid that is SQL', () => forge({ header: { alg: 'ES256', kid: "x' OR '1'='1" } })],
    ['a kid of the prototype', () => forge({ header: { alg: 'ES256', kid: '__proto__' } })],
    ['no kid', () => `${part({ alg: 'ES256', typ: 'at+jwt' })}.${forge().split('.').slice(1).join('.')}`],
    [
      'a kid that is no text',
      () => `${part({ alg: 'ES256', typ: 'at+jwt', kid: [kid] })}.${forge().split('.').slice(1).join('.')}`,
    ],
    ['another type of token', () => forge({ typ: 'JWT' })],
    ['one that is not valid yet', () => forge({ notBefore: 60 })],
    ['another issuer', () => forge({ issuer: 'https://evil.example' })],
    ['another audience', () => forge({ audience: 'other' })],
    ['changed claims', () => forge().replace(/\..*\./, `.${part(claims())}.`)],
    ['no signature', () => forge().replace(/[^.]+$/, '')],
    ['an empty signature of zeros', () => forge().replace(/[^.]+$/, Buffer.alloc(64).toString('base64url'))],
    ['a refresh token', () => newRefreshToken().token],
    ['no JWT at all', () => 'x'],
    ['broken JSON', () => `${Buffer.from('{').toString('base64url')}.e30.x`],
    ['null as the header', () => `${Buffer.from('null').toString('base64url')}.e30.x`],
  ])('refuses %s', async (_, forged) => {
    await expect(enterWith(forged())).rejects.toMatchObject({ name: 'UnauthenticatedError', code: 'invalid_token' });
    expect(load).not.toHaveBeenCalled();
  });

  it('says when a token has merely expired, so that a client knows to refresh', async () => {
    await expect(enterWith(forge({ expiresIn: -1 }))).rejects.toMatchObject({
      name: 'UnauthenticatedError',
      code: 'token_expired',
    });
    expect(load).not.toHaveBeenCalled();
  });

  it.each([undefined, '', 'Bearer', 'Basic YWRhOmxvdmVsYWNl', forge()])(
    'refuses without a bearer token: %s',
    async (header) => {
      await expect(enter(requestWith(header))).rejects.toMatchObject({
        name: 'UnauthenticatedError',
        code: 'unauthenticated',
      });
    },
  );

  it('lets everybody in on a public route, and asks nothing', async () => {
    await expect(enter(requestWith('Bearer nonsense'), Routes.prototype.public)).resolves.toBe(true);
    expect(load).not.toHaveBeenCalled();
  });

  it('passes on what became of the session or the tenant', async () => {
    const suspended = new ForbiddenError('tenant_suspended', 'This tenant is suspended.');
    load.mockRejectedValueOnce(suspended);
    await expect(enterWith(forge())).rejects.toBe(suspended);
  });

  it('finds fault with the tenant in the path only once the token has proved genuine', async () => {
    const malformed = { tenantId: 'acme' };
    await expect(enter(requestWith(`Bearer ${forge()}`, malformed))).rejects.toMatchObject({
      name: 'InvalidInputError',
      errors: [{ pointer: '/path/tenantId', code: 'is_uuid', message: 'tenantId must be a UUID.' }],
    });
    await expect(enter(requestWith(`Bearer ${forge({}, foreign.privateKey)}`, malformed))).rejects.toMatchObject({
      code: 'invalid_token',
    });
  });

  it.each([
    [new UnavailableError('database_unavailable', 'The database cannot be reached.'), 'database_unavailable'],
    [new Error('something else'), 'signing_keys_unavailable'],
  ])('does not call a caller a stranger when the keys cannot be read: %s', async (fault, code) => {
    jest.spyOn(keys, 'find').mockRejectedValueOnce(fault);
    await expect(enterWith(forge())).rejects.toMatchObject({ name: 'UnavailableError', code });
  });
});
