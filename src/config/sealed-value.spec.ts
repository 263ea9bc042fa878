import { StartupError } from '../common/errors';
import { isSealed, openValue, sealValue } from './sealed-value';

const KEY = Buffer.alloc(32, 1).toString('base64');
const OTHER_KEY = Buffer.alloc(32, 2).toString('base64');
const SECRET = 'postgresql://app:s3cret-pässword@db/tenantry';

/** The value with one bit of this byte, counted from the end when negative, turned over. */
function tampered(sealed: string, at: number): string {
  const prefix = sealed.slice(0, 'enc:v1:'.length);
  const bytes = Buffer.from(sealed.slice(prefix.length), 'base64');
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return prefix + bytes.toString('base64');
}

describe('an encrypted value', () => {
  it('opens with the key that sealed it, and shows nothing of what is in it', () => {
    const sealed = sealValue(KEY, SECRET);
    expect(sealed).toMatch(/^enc:v1:[A-Za-z0-9+/]+=*$/);
    expect(isSealed(sealed)).toBe(true);
    expect(isSealed(SECRET)).toBe(false);
    expect(openValue(KEY, sealed)).toBe(SECRET);
    expect(Buffer.from(sealed.slice(7), 'base64').includes('s3cret')).toBe(false);
  });

  it('looks different each time', () => {
    expect(sealValue(KEY, SECRET)).not.toBe(sealValue(KEY, SECRET));
  });

  it.each([
    ['another key', (sealed: string) => openValue(OTHER_KEY, sealed)],
    ['a changed nonce', (sealed: string) => openValue(KEY, tampered(sealed, 0))],
    ['a changed text', (sealed: string) => openValue(KEY, tampered(sealed, 14))],
    ['a changed tag', (sealed: string) => openValue(KEY, tampered(sealed, -1))],
    ['a part of it', (sealed: string) => openValue(KEY, sealed.slice(0, -8))],
    ['nothing but its beginning', () => openValue(KEY, 'enc:v1:')],
    ['something else', () => openValue(KEY, 'enc:v1:s3cret')],
  ])('does not open with %s, and the reason holds neither', (_, open) => {
    const sealed = sealValue(KEY, SECRET);
    const attempt = (): string => open(sealed);
    expect(attempt).toThrow(StartupError);
    expect(attempt).toThrow(/^CONFIG_KEY does not open it$/);
  });

  it.each(['', 's3cret', Buffer.alloc(16).toString('base64'), Buffer.alloc(33).toString('base64')])(
    'refuses "%s" for a key',
    (key) => {
      for (const attempt of [() => sealValue(key, SECRET), () => openValue(key, sealValue(KEY, SECRET))]) {
        expect(attempt).toThrow(StartupError);
        expect(attempt).toThrow(/^CONFIG_KEY must be 32 bytes in base64\. Make one with: openssl rand -base64 32$/);
      }
    },
  );
});
