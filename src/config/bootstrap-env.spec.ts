import { StartupError } from '../common/errors';
import { readBootstrapEnv } from './bootstrap-env';

const ADMIN = 'postgresql://postgres:s3cret@localhost:5432/postgres';

describe('readBootstrapEnv', () => {
  it('needs the administrator only', () => {
    expect(readBootstrapEnv({ POSTGRES_ADMIN_URL: ADMIN })).toEqual({
      adminUrl: ADMIN,
      database: 'tenantry',
      urls: {},
      timeouts: {
        POSTGRES_STATEMENT_TIMEOUT_MS: 10_000,
        POSTGRES_LOCK_TIMEOUT_MS: 5_000,
        POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS: 10_000,
      },
      refusesPlainText: false,
    });
  });

  it('takes the timeouts of the application, and refuses plain text in production unless told otherwise', () => {
    const production = { POSTGRES_ADMIN_URL: ADMIN, NODE_ENV: 'production', POSTGRES_LOCK_TIMEOUT_MS: '700' };
    expect(readBootstrapEnv(production)).toMatchObject({
      timeouts: { POSTGRES_LOCK_TIMEOUT_MS: 700 },
      refusesPlainText: true,
    });
    expect(readBootstrapEnv({ ...production, POSTGRES_ALLOW_PLAINTEXT: 'true' }).refusesPlainText).toBe(false);
  });

  it('takes the URLs that are set by what their logins are for', () => {
    const app = 'postgresql://tenantry_app:a@db/tenantry';
    const env = readBootstrapEnv({ POSTGRES_ADMIN_URL: ADMIN, POSTGRES_URL: app, POSTGRES_OWNER_URL: '' });
    expect(env.urls).toEqual({ app });
  });

  it.each([
    ['POSTGRES_ADMIN_URL', { POSTGRES_ADMIN_URL: undefined }],
    ['POSTGRES_ADMIN_URL', { POSTGRES_ADMIN_URL: 'mysql://root:s3cret@localhost' }],
    ['POSTGRES_DATABASE', { POSTGRES_DATABASE: 's3cret/x' }],
    ['POSTGRES_ADMIN_URL_FILE', { POSTGRES_ADMIN_URL: undefined, POSTGRES_ADMIN_URL_FILE: '/s3cret' }],
    ['POSTGRES_LOCK_TIMEOUT_MS', { POSTGRES_LOCK_TIMEOUT_MS: 's3cret' }],
    ['POSTGRES_URL', { POSTGRES_URL: 'postgresql://app:s3cret@:x' }],
  ])('names a wrong %s and not its value', (variable, change) => {
    const read = (): unknown => readBootstrapEnv({ POSTGRES_ADMIN_URL: ADMIN, ...change });
    expect(read).toThrow(StartupError);
    expect(read).toThrow(variable);
    expect(read).not.toThrow('s3cret');
  });
});
