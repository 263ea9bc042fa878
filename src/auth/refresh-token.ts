import { createHash, randomBytes } from 'node:crypto';

/** The prefix lets secret scanners recognize a leaked one. */
const REFRESH_TOKEN = /^rt_[\w-]{43}$/;
const TOKEN_BYTES = 32;

/** A new refresh token: 256 random bits, so that a plain SHA-256 hides it well enough. */
export function newRefreshToken(): { token: string; hash: Buffer<ArrayBuffer> } {
  const token = `rt_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
  return { token, hash: sha256(token) };
}

/** What the database knows of the token; undefined for what cannot be one of ours. */
export function hashRefreshToken(token: string): Buffer<ArrayBuffer> | undefined {
  return REFRESH_TOKEN.test(token) ? sha256(token) : undefined;
}

function sha256(token: string): Buffer<ArrayBuffer> {
  return Buffer.from(createHash('sha256').update(token).digest());
}
