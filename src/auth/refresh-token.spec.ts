import { createHash } from 'node:crypto';
import { hashRefreshToken, newRefreshToken } from './refresh-token';

describe('newRefreshToken', () => {
  it('makes 256 random bits, never twice', () => {
    const { token } = newRefreshToken();
    expect(Buffer.from(token.slice(3), 'base64url')).toHaveLength(32);
    expect(newRefreshToken().token).not.toBe(token);
  });

  it('gives the hash by which the token is found again', () => {
    const { token, hash } = newRefreshToken();
    expect(hash).toEqual(createHash('sha256').update(token).digest());
    expect(hashRefreshToken(token)).toEqual(hash);
  });
});

describe('hashRefreshToken', () => {
  it.each([
    '',
    'rt_',
    'rt_short',
    `${newRefreshToken().token}x`,
    `${newRefreshToken().token}\n`,
    'eyJhbGciOiJFUzI1NiJ9.e30.c2ln',
  ])('knows none for %j', (token) => {
    expect(hashRefreshToken(token)).toBeUndefined();
  });
});
