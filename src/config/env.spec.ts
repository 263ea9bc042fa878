import { StartupError } from '../common/errors';
import { readEnv } from './env';

const SECRET = Buffer.alloc(32, 7).toString('base64');
const URLS = { POSTGRES_URL: 'postgresql://a:pw-1@db/t', POSTGRES_PLATFORM_URL: 'postgresql://b:pw-2@db/t' };

/** What readEnv says against this environment. */
function complaint(source: NodeJS.ProcessEnv): string {
  try {
    readEnv(source);
    return '';
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    return error.message;
  }
}

describe('readEnv', () => {
  it('has a default for everything', () => {
    expect(readEnv({})).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      POSTGRES_POOL_SIZE: 10,
      DATA_DIR: '.data',
      docsEnabled: true,
    });
  });

  it('takes an empty variable for an absent one', () => {
    expect(readEnv({ PORT: '', POSTGRES_URL: '' })).toMatchObject({ PORT: 3000, POSTGRES_URL: undefined });
  });

  it('names every wrong variable, and never its value', () => {
    const message = complaint({
      PORT: 'secret-port',
      POSTGRES_POOL_SIZE: '0',
      POSTGRES_URL: 'mysql://u:hunter2@h/d',
      LOG_LEVEL: 'loud',
    });
    for (const name of ['PORT', 'POSTGRES_POOL_SIZE', 'POSTGRES_URL', 'LOG_LEVEL']) expect(message).toContain(name);
    expect(message).not.toMatch(/secret-port|hunter2|loud/);
  });

  it('wants both serving logins or neither', () => {
    expect(complaint({ POSTGRES_URL: URLS.POSTGRES_URL })).toContain('POSTGRES_PLATFORM_URL');
    expect(complaint(URLS)).toBe('');
  });

  it('wants a secret key in production on a server of its own', () => {
    expect(complaint({ ...URLS, NODE_ENV: 'production' })).toContain('SECRET_KEY');
    expect(complaint({ ...URLS, NODE_ENV: 'production', SECRET_KEY: SECRET })).toBe('');
  });

  it('refuses sample secrets in production only', () => {
    const sample = { ...URLS, SECRET_KEY: SECRET, BOOTSTRAP_ADMIN_PASSWORD: 'change-me-change-me' };
    expect(complaint(sample)).toBe('');
    expect(complaint({ ...sample, NODE_ENV: 'production' })).toMatch(/BOOTSTRAP_ADMIN_PASSWORD is a sample/);
  });

  it('serves on for 5 s after it is told to stop in production, and as long as it is told to', () => {
    expect(readEnv({}).shutdownDelayMs).toBe(0);
    expect(readEnv({ NODE_ENV: 'production' }).shutdownDelayMs).toBe(5_000);
    expect(readEnv({ NODE_ENV: 'production', SHUTDOWN_DELAY_MS: '0' }).shutdownDelayMs).toBe(0);
    expect(complaint({ SHUTDOWN_DELAY_MS: '15001' })).toMatch(/SHUTDOWN_DELAY_MS must not be greater than 15000/);
  });

  it('hides the documents in production unless told otherwise', () => {
    const production = { NODE_ENV: 'production' };
    expect(readEnv(production).docsEnabled).toBe(false);
    expect(readEnv({ ...production, API_DOCS: 'on' }).docsEnabled).toBe(true);
  });
});
