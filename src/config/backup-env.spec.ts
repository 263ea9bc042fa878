import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { readBackupEnv } from './backup-env';

const KEY = randomBytes(32).toString('base64');
const OLD_KEY = randomBytes(32).toString('base64');
const GIVEN = {
  POSTGRES_URL: 'postgresql://app@db/tenantry',
  POSTGRES_BACKUP_URL: 'postgresql://backup@db/tenantry',
  BACKUP_DIR: '/srv/backups',
  BACKUP_KEY: KEY,
};

describe('readBackupEnv', () => {
  it('needs nothing beside an embedded database', () => {
    expect(readBackupEnv({ DATA_DIR: '/data' })).toEqual({
      backupDir: path.join('/data', 'backups'),
      keys: undefined,
      url: undefined,
      dataDir: '/data',
      postgresBinDir: undefined,
    });
  });

  it('takes the keys in their order, the one that seals first', () => {
    const { keys, backupDir } = readBackupEnv({ ...GIVEN, BACKUP_OLD_KEYS: `${OLD_KEY},${OLD_KEY}` });
    expect(keys!.map((bytes) => bytes.toString('base64'))).toEqual([KEY, OLD_KEY, OLD_KEY]);
    expect(backupDir).toBe('/srv/backups');
  });

  it.each([
    ['BACKUP_KEY', { ...GIVEN, BACKUP_KEY: '' }],
    ['BACKUP_KEY', { BACKUP_DIR: '/srv/backups' }],
    ['BACKUP_KEY', { ...GIVEN, BACKUP_KEY: 'c2hvcnQ=' }],
    ['BACKUP_OLD_KEYS', { ...GIVEN, BACKUP_OLD_KEYS: 'c2hvcnQ=' }],
    ['BACKUP_DIR', { ...GIVEN, BACKUP_DIR: '' }],
    ['POSTGRES_BACKUP_URL', { ...GIVEN, POSTGRES_BACKUP_URL: '' }],
  ])('names %s and never a value', (variable, source) => {
    const read = (): unknown => readBackupEnv(source);
    expect(read).toThrow(variable);
    expect(read).not.toThrow(/c2hvcnQ=/);
  });
});
