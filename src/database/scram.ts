import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';

/** PostgreSQL's own default (`scram_iterations`). The passwords are long and random, so more would protect nothing. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const VERIFIER = /^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/;

/**
 * What PostgreSQL stores of a password (RFC 5802, RFC 7677). Sent in place of the password in ALTER ROLE, it keeps the
 * password out of the server's log and statistics.
 * @throws RangeError for a password outside printable ASCII, which would need SASLprep first
 */
export function scramVerifier(password: string, salt = randomBytes(SALT_BYTES), iterations = ITERATIONS): string {
  if (!/^[\x20-\x7e]+$/.test(password)) throw new RangeError('The password has characters outside printable ASCII.');
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest('base64');
  const serverKey = hmac(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** Whether a stored verifier is of this password. False for other kinds (md5). */
export function matchesVerifier(password: string, verifier: string): boolean {
  const [, iterations, salt] = VERIFIER.exec(verifier) ?? [];
  if (!iterations || !salt) return false;
  const expected = Buffer.from(scramVerifier(password, Buffer.from(salt, 'base64'), Number(iterations)));
  const stored = Buffer.from(verifier);
  return expected.length === stored.length && timingSafeEqual(expected, stored);
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
