import { StartupError } from '../common/errors';
import { readBackupEnv } from '../config/backup-env';
import { backupUrlOf } from './backup-login';

const urlOf = (url: string, rest: NodeJS.ProcessEnv = {}): string =>
  backupUrlOf(readBackupEnv({ POSTGRES_BACKUP_URL: url, NODE_ENV: 'production', ...rest }));

describe('the login that backup work runs as', () => {
  it('is refused in production where it would go to another machine in plain text', () => {
    const url = 'postgresql://tenantry_backup:s3cret@db.example.org/tenantry';
    const attempt = (): string => urlOf(url);
    expect(attempt).toThrow(StartupError);
    expect(attempt).toThrow(/^POSTGRES_BACKUP_URL would connect to another machine in plain text/);
    expect(attempt).not.toThrow('s3cret');
    expect(urlOf(`${url}?sslmode=verify-full`)).toBe(`${url}?sslmode=verify-full`);
    expect(urlOf(url, { NODE_ENV: 'development' })).toBe(url);
    expect(urlOf(url, { POSTGRES_ALLOW_PLAINTEXT: 'true' })).toBe(url);
    expect(urlOf('postgresql://tenantry_backup@localhost/tenantry')).toContain('localhost');
  });
});
