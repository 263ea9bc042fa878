import { StartupError } from '../common/errors';
import { readBootstrapEnv } from './bootstrap-env';

const ADMIN = 'postgresql://postgres:s3cret@localhost:5432/postgres';

describe('readBootstrapEnv', () => {
  it('needs the administrator only', () => {
    expect(readBootstrapEnv({ POSTGRES_ADMIN_URL: ADMIN })).toEqual({
      adminUrl: ADMIN,
      database: 'tenantry',
      urls: {},
    });
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
    ['POSTGRES_URL', { POSTGRES_URL: 'postgresql://app:s3cret@:x' }],
  ])('names a wrong %s and not its value', (variable, change) => {
    const read = (): unknown => readBootstrapEnv({ POSTGRES_ADMIN_URL: ADMIN, ...change });
    expect(read).toThrow(StartupError);
    expect(read).toThrow(variable);
    expect(read).not.toThrow('s3cret');
  });
});
