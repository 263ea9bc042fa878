import { createPublicKey } from 'node:crypto';
import { generateSigningKey, publicKeyOf } from './signing-key';
import { SignatureInvalidError, signDocument, verifyDocument } from './signed-document';

const { jwk, privateKey } = generateSigningKey();
const key = { kid: jwk.kid, privateKey };
const keys = new Map([[jwk.kid, publicKeyOf(jwk)]]);
const jws = signDocument(key, 'a-receipt', Buffer.from('{"a":1}'));

/** The JWS with one of its three parts replaced. */
const withPart = (place: number, text: string): string => jws.split('.').toSpliced(place, 1, text).join('.');
const headerOf = (header: object): string => Buffer.from(JSON.stringify(header)).toString('base64url');

describe('a signed document', () => {
  it('is a JWS whose payload comes back as it was signed, and tells its key', () => {
    expect(verifyDocument(`${jws}\n`, 'a-receipt', keys)).toEqual({ kid: jwk.kid, payload: Buffer.from('{"a":1}') });
    expect(JSON.parse(Buffer.from(jws.split('.')[0]!, 'base64url').toString())).toEqual({
      alg: 'ES256',
      kid: jwk.kid,
      typ: 'a-receipt',
    });
  });

  const other = generateSigningKey();
  it.each([
    ['another payload', withPart(1, Buffer.from('{"a":2}').toString('base64url'))],
    ['no signature', withPart(2, '')],
    ['another signature', withPart(2, Buffer.alloc(64, 1).toString('base64url'))],
    ['a fourth part', `${jws}.x`],
    ['a header that is no JSON', withPart(0, 'eA')],
    ['a header that is null', withPart(0, headerOf([null]))],
    ['alg none', withPart(0, headerOf({ alg: 'none', kid: jwk.kid, typ: 'a-receipt' }))],
    ['alg HS256', withPart(0, headerOf({ alg: 'HS256', kid: jwk.kid, typ: 'a-receipt' }))],
    [
      'a key of its own',
      signDocument({ kid: other.jwk.kid, privateKey: other.privateKey }, 'a-receipt', Buffer.from('{}')),
    ],
    [
      "another key under ours' id",
      signDocument({ kid: jwk.kid, privateKey: other.privateKey }, 'a-receipt', Buffer.from('{}')),
    ],
    ['another type', signDocument(key, 'an-archive', Buffer.from('{}'))],
    ['nothing', ''],
  ])('with %s is refused', (_, text) => {
    expect(() => verifyDocument(text, 'a-receipt', keys)).toThrow(SignatureInvalidError);
  });

  it('is one that others can verify with the published key', () => {
    expect(
      verifyDocument(jws, 'a-receipt', new Map([[jwk.kid, createPublicKey({ key: { ...jwk }, format: 'jwk' })]])),
    ).toBeDefined();
  });
});
