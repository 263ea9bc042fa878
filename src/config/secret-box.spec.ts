import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { openSecretBox, SecretBox } from './secret-box';

describe('SecretBox', () => {
  const box = new SecretBox(Buffer.alloc(32, 1));
  const text = Buffer.from('a private key');

  it('opens what it sealed, which looks different each time', () => {
    const [first, second] = [box.seal('keys', text), box.seal('keys', text)];
    expect(first.equals(second)).toBe(false);
    expect(box.open('keys', first)).toEqual(text);
    expect(first.includes(text)).toBe(false);
  });

  it('opens nothing for another purpose, with another key, or after a change', () => {
    const sealed = box.seal('keys', text);
    expect(() => box.open('answers', sealed)).toThrow();
    expect(() => new SecretBox(Buffer.alloc(32, 2)).open('keys', sealed)).toThrow();
    sealed[sealed.length - 20]! ^= 1;
    expect(() => box.open('keys', sealed)).toThrow();
  });

  it('makes different hashes of one text for different purposes', () => {
    expect(box.mac('a', 'x')).toEqual(box.mac('a', 'x'));
    expect(box.mac('a', 'x')).not.toEqual(box.mac('b', 'x'));
  });
});

describe('openSecretBox', () => {
  let dir: string;
  beforeEach(() => (dir = mkdtempSync(path.join(tmpdir(), 'tenantry-box-'))));
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('makes a key once, for its owner alone', () => {
    const sealed = openSecretBox({ DATA_DIR: dir, SECRET_KEY: undefined }).seal('x', Buffer.from('1'));
    expect(openSecretBox({ DATA_DIR: dir, SECRET_KEY: undefined }).open('x', sealed).toString()).toBe('1');
    expect(statSync(path.join(dir, 'secret.key')).mode & 0o777).toBe(0o600);
  });

  it('refuses a key of another length', () => {
    expect(() => openSecretBox({ DATA_DIR: dir, SECRET_KEY: Buffer.alloc(33).toString('base64') })).toThrow(
      StartupError,
    );
  });
});
