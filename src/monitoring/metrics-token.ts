import { createHash, timingSafeEqual } from 'node:crypto';

const BEARER = /^Bearer (\S+)$/i;

/** Does an Authorization header carry this token? It takes the same time whatever it carries. */
export function carriesToken(authorization: string | undefined, token: string): boolean {
  const given = BEARER.exec(authorization ?? '')?.[1] ?? '';
  // Digests are of one length, as timingSafeEqual needs them, and tell nothing of the token's.
  return timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
