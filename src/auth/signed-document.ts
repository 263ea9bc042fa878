import { type KeyObject, sign, verify } from 'node:crypto';

/** ES256 (RFC 7518, 3.4): the signature as two numbers of 32 bytes each. */
const SIGNATURE = { dsaEncoding: 'ieee-p1363' } as const;

/** What somebody signed, and by which of their keys. */
export interface SignedDocument {
  kid: string;
  payload: Buffer;
}

/** A document that is not what was signed: another kind, an unknown key, a wrong signature. */
export class SignatureInvalidError extends Error {
  constructor(reason: string) {
    super(`The signature is not valid: ${reason}.`);
    this.name = 'SignatureInvalidError';
  }
}

/** A JWS in compact form (RFC 7515). @param type its `typ`: so that no kind can be taken for another */
export function signDocument(key: { kid: string; privateKey: KeyObject }, type: string, payload: Buffer): string {
  const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: key.kid, typ: type }));
  const signed = `${header.toString('base64url')}.${payload.toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(signed), { key: key.privateKey, ...SIGNATURE });
  return `${signed}.${signature.toString('base64url')}`;
}

/**
 * @param keys the public ones that are trusted, by their `kid`; a key that the document brings is never looked at
 * @throws SignatureInvalidError
 */
export function verifyDocument(jws: string, type: string, keys: ReadonlyMap<string, KeyObject>): SignedDocument {
  const [header = '', payload = '', signature = '', ...more] = jws.trim().split('.');
  if (more.length > 0 || !signature) throw new SignatureInvalidError('it is no JWS in compact form (RFC 7515)');
  const { alg, kid, typ } = headerOf(header);
  if (alg !== 'ES256' || typ !== type || typeof kid !== 'string')
    throw new SignatureInvalidError(`it is not one of the type ${type}, by ES256`);
  const key = keys.get(kid);
  if (!key) throw new SignatureInvalidError(`the key ${kid} is not among those that are trusted`);
  const isGenuine = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key, ...SIGNATURE },
    Buffer.from(signature, 'base64url'),
  );
  if (!isGenuine) throw new SignatureInvalidError('it was made with another key, or something was changed since');
  return { kid, payload: Buffer.from(payload, 'base64url') };
}

function headerOf(text: string): Record<string, unknown> {
  try {
    return (JSON.parse(Buffer.from(text, 'base64url').toString()) ?? {}) as Record<string, unknown>;
  } catch {
    throw new SignatureInvalidError('its header cannot be read');
  }
}
