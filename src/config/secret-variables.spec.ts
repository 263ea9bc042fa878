import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { readBootstrapEnv } from './bootstrap-env';
import { readEnv } from './env';
import { sealValue } from './sealed-value';
import { POSTGRES_URLS, readConfigKey, resolveSecrets, SECRET_VARIABLES } from './secret-variables';

const KEY = Buffer.alloc(32, 1).toString('base64');
const OTHER_KEY = Buffer.alloc(32, 2).toString('base64');
const SECRET = 'postgresql://app:s3cret@db/tenantry';

let directory: string;
beforeAll(() => (directory = mkdtempSync(path.join(tmpdir(), 'tenantry-secrets-'))));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;
function file(text: string): string {
  const name = path.join(directory, String((files += 1)));
  writeFileSync(name, text);
  chmodSync(name, 0o400);
  return name;
}

describe('resolveSecrets', () => {
  it.each(SECRET_VARIABLES)('takes %s as it is, from a file, encrypted, and encrypted in a file', (name) => {
    const sealed = sealValue(KEY, SECRET);
    for (const source of [
      { [name]: SECRET },
      { [`${name}_FILE`]: file(SECRET) },
      { [name]: sealed, CONFIG_KEY: KEY },
      { [`${name}_FILE`]: file(sealed), CONFIG_KEY: KEY },
      { [`${name}_FILE`]: file(`${sealed}\n`), CONFIG_KEY_FILE: file(`${KEY}\n`) },
    ]) {
      const { values, problems } = resolveSecrets(source);
      expect(problems).toEqual([]);
      expect(values[name]).toBe(SECRET);
    }
  });

  it('has every connection string among them', () => {
    expect(SECRET_VARIABLES).toEqual(expect.arrayContaining([...POSTGRES_URLS]));
  });

  it('drops one line end from the end of a file, and nothing else', () => {
    const read = (text: string): string | undefined =>
      resolveSecrets({ SECRET_KEY_FILE: file(text) }).values.SECRET_KEY;
    expect(read('s3cret\n')).toBe('s3cret');
    expect(read('s3cret\r\n')).toBe('s3cret');
    expect(read(' s3cret \n\n')).toBe(' s3cret \n');
  });

  it('takes an empty variable for an absent one', () => {
    const source = { POSTGRES_URL: '', POSTGRES_URL_FILE: file(SECRET), SECRET_KEY_FILE: '', METRICS_TOKEN: undefined };
    expect(resolveSecrets(source)).toMatchObject({ values: { POSTGRES_URL: SECRET }, problems: [] });
  });

  const missing = '/no/such/s3cret';
  it.each<[string, () => NodeJS.ProcessEnv, string]>([
    [
      'a variable beside its file',
      () => ({ POSTGRES_URL: SECRET, POSTGRES_URL_FILE: file(SECRET) }),
      'POSTGRES_URL and POSTGRES_URL_FILE are both set',
    ],
    ['a file that is not there', () => ({ POSTGRES_URL_FILE: missing }), 'POSTGRES_URL_FILE cannot be read (ENOENT)'],
    [
      'a directory for a file',
      () => {
        mkdirSync(path.join(directory, 's3cret'), { recursive: true });
        return { METRICS_TOKEN_FILE: path.join(directory, 's3cret') };
      },
      'METRICS_TOKEN_FILE cannot be read (EISDIR)',
    ],
    ['an empty file', () => ({ SECRET_KEY_FILE: file('') }), 'SECRET_KEY_FILE names an empty file'],
    ['a file of a line end', () => ({ SECRET_KEY_FILE: file('\n') }), 'SECRET_KEY_FILE names an empty file'],
    [
      'an encrypted value without a key',
      () => ({ POSTGRES_URL: sealValue(KEY, SECRET) }),
      'POSTGRES_URL is encrypted: CONFIG_KEY or CONFIG_KEY_FILE must be set',
    ],
    [
      'the wrong key',
      () => ({ POSTGRES_URL: sealValue(KEY, SECRET), CONFIG_KEY: OTHER_KEY }),
      'POSTGRES_URL is encrypted, and CONFIG_KEY does not open it',
    ],
    [
      'a value that was tampered with',
      () => ({ POSTGRES_URL: sealValue(KEY, SECRET).replace(/.{4}$/, 'AAAA'), CONFIG_KEY: KEY }),
      'POSTGRES_URL is encrypted, and CONFIG_KEY does not open it',
    ],
    [
      'a key that is none',
      () => ({ POSTGRES_URL: sealValue(KEY, SECRET), CONFIG_KEY: 's3cret' }),
      'POSTGRES_URL is encrypted, and CONFIG_KEY must be 32 bytes in base64. Make one with: openssl rand -base64 32',
    ],
  ])('names %s, and neither value nor path', (_, source, problem) => {
    const { values, problems } = resolveSecrets(source());
    expect(problems).toEqual([problem]);
    const name = problem.split(/_FILE| /)[0]!;
    expect(values[name]).toBeUndefined(); // it is not used as if nothing were wrong
    expect(problems.join()).not.toMatch(/s3cret/);
  });

  it('refuses the start of the application and of db:bootstrap alike', () => {
    const source = {
      POSTGRES_URL_FILE: missing,
      POSTGRES_ADMIN_URL: 'postgresql://postgres:s3cret@localhost/postgres',
    };
    for (const read of [readEnv, readBootstrapEnv]) {
      expect(() => read(source)).toThrow(StartupError);
      expect(() => read(source)).toThrow('  - POSTGRES_URL_FILE cannot be read (ENOENT)');
      expect(() => read(source)).not.toThrow('s3cret');
    }
  });
});

describe('readConfigKey', () => {
  it('gives the key of the variable or of the file', () => {
    expect(readConfigKey({ CONFIG_KEY: KEY })).toBe(KEY);
    expect(readConfigKey({ CONFIG_KEY_FILE: file(`${KEY}\n`) })).toBe(KEY);
  });

  it.each([
    [{}, 'CONFIG_KEY or CONFIG_KEY_FILE must be set'],
    [{ CONFIG_KEY: KEY, CONFIG_KEY_FILE: '/s3cret' }, 'CONFIG_KEY and CONFIG_KEY_FILE are both set'],
    [{ CONFIG_KEY_FILE: '/s3cret' }, 'CONFIG_KEY_FILE cannot be read (ENOENT)'],
  ])('says what is missing', (source, reason) => {
    expect(() => readConfigKey(source)).toThrow(reason);
    expect(() => readConfigKey(source)).not.toThrow('s3cret');
  });
});
