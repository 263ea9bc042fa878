import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { readApplicationBackups, readBackupEnv } from './backup-env';

const KEY = randomBytes(32).toString('base64');
const OLD_KEY = randomBytes(32).toString('base64');
const GIVEN = {
  POSTGRES_URL: 'postgresql://app@db/tenantry',
  POSTGRES_BACKUP_URL: 'postgresql://backup@db/tenantry',
  BACKUP_DIR: '/srv/backups',
  BACKUP_KEY: KEY,
};
const IN_BUCKET = { ...GIVEN, BACKUP_DIR: '', BACKUP_S3_BUCKET: 'backups', BACKUP_S3_REGION: 'eu-central-1' };

describe('readBackupEnv', () => {
  it('needs nothing beside an embedded database', () => {
    expect(readBackupEnv({ DATA_DIR: '/data' })).toEqual({
      engine: { name: 'native' },
      backupDir: path.join('/data', 'backups'),
      bucket: undefined,
      keys: undefined,
      url: undefined,
      refusesPlainText: false,
      dataDir: '/data',
      postgresBinDir: undefined,
      drillDir: undefined,
      schedule: { backups: '0 2 * * *', drills: '30 3 * * *', receivesLog: true, keep: 7, keepDays: 7 },
      tenantUndoDays: 7,
    });
  });

  it('takes schedules, and says which are none', () => {
    const given = { ...GIVEN, BACKUP_SCHEDULE: '*/15 * * * *', DRILL_SCHEDULE: 'off', BACKUP_RECEIVE: 'off' };
    expect(readBackupEnv({ ...given, BACKUP_KEEP: '3', BACKUP_KEEP_DAYS: '0' }).schedule).toEqual({
      backups: '*/15 * * * *',
      drills: undefined,
      receivesLog: false,
      keep: 3,
      keepDays: 0,
    });
    const wrong = {
      BACKUP_SCHEDULE: '0 2 31 2 *', // never
      DRILL_SCHEDULE: 'daily',
      BACKUP_RECEIVE: 'perhaps',
      BACKUP_KEEP: '0',
      BACKUP_KEEP_DAYS: '-1',
    };
    for (const name of Object.keys(wrong)) expect(() => readBackupEnv(wrong)).toThrow(`${name} must be`);
  });

  it('takes the keys in their order, the one that seals first', () => {
    const { keys, backupDir } = readBackupEnv({ ...GIVEN, BACKUP_OLD_KEYS: `${OLD_KEY},${OLD_KEY}` });
    expect(keys!.map((bytes) => bytes.toString('base64'))).toEqual([KEY, OLD_KEY, OLD_KEY]);
    expect(backupDir).toBe('/srv/backups');
  });

  it('takes the key from a file', () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'tenantry-backup-env-'));
    try {
      const file = path.join(directory, 'key');
      writeFileSync(file, `${KEY}\n`);
      const { keys } = readBackupEnv({ ...GIVEN, BACKUP_KEY: undefined, BACKUP_KEY_FILE: file });
      expect(keys).toEqual([Buffer.from(KEY, 'base64')]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('takes a bucket instead of a directory', () => {
    expect(readBackupEnv(IN_BUCKET).bucket).toEqual({
      bucket: 'backups',
      prefix: '',
      endpoint: undefined,
      region: 'eu-central-1',
      credentials: undefined,
      forcePathStyle: false,
    });
    const elsewhere = {
      ...IN_BUCKET,
      BACKUP_S3_REGION: '',
      BACKUP_S3_ENDPOINT: 'http://127.0.0.1:9000',
      BACKUP_S3_PREFIX: '/tenantry/production/',
      BACKUP_S3_ACCESS_KEY_ID: 'id',
      BACKUP_S3_SECRET_ACCESS_KEY: 'secret',
      BACKUP_S3_FORCE_PATH_STYLE: 'true',
      NODE_ENV: 'production',
    };
    expect(readBackupEnv(elsewhere).bucket).toEqual({
      bucket: 'backups',
      prefix: 'tenantry/production/',
      endpoint: 'http://127.0.0.1:9000',
      region: 'us-east-1',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
      forcePathStyle: true,
    });
  });

  it('refuses plain text in production, unless told otherwise', () => {
    const production = { ...GIVEN, NODE_ENV: 'production' };
    expect(readBackupEnv(production).refusesPlainText).toBe(true);
    expect(readBackupEnv({ ...production, POSTGRES_ALLOW_PLAINTEXT: 'true' }).refusesPlainText).toBe(false);
  });

  it.each([
    ['BACKUP_S3_BUCKET', { ...IN_BUCKET, BACKUP_S3_BUCKET: 's3://s3cret/x' }],
    ['BACKUP_DIR and BACKUP_S3_BUCKET', { ...IN_BUCKET, BACKUP_DIR: '/srv/backups' }],
    ['BACKUP_KEY', { ...IN_BUCKET, BACKUP_KEY: '' }],
    ['BACKUP_S3_REGION', { ...IN_BUCKET, BACKUP_S3_REGION: '' }],
    ['BACKUP_S3_SECRET_ACCESS_KEY', { ...IN_BUCKET, BACKUP_S3_ACCESS_KEY_ID: 's3cret' }],
    ['BACKUP_S3_ACCESS_KEY_ID_FILE', { ...IN_BUCKET, BACKUP_S3_ACCESS_KEY_ID_FILE: '/s3cret' }],
    ['BACKUP_S3_FORCE_PATH_STYLE', { ...IN_BUCKET, BACKUP_S3_FORCE_PATH_STYLE: 's3cret' }],
    ['BACKUP_S3_ENDPOINT', { ...IN_BUCKET, BACKUP_S3_ENDPOINT: 's3cret.example.org' }],
    ['BACKUP_S3_ENDPOINT', { ...IN_BUCKET, BACKUP_S3_ENDPOINT: 'https://id:s3cret@s3.example.org' }],
    ['BACKUP_S3_ENDPOINT', { ...IN_BUCKET, BACKUP_S3_ENDPOINT: 'http://s3cret.example.org', NODE_ENV: 'production' }],
  ])('names %s of a bucket and never a value', (variable, source) => {
    const read = (): unknown => readBackupEnv(source);
    expect(read).toThrow(variable);
    expect(read).not.toThrow(/s3cret/);
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

describe('readApplicationBackups', () => {
  it('backs up by itself beside an embedded database, unless told not to', () => {
    expect(readApplicationBackups({})).toBeDefined();
    expect(readApplicationBackups({ BACKUP_SCHEDULE: 'off' })).toBeUndefined();
  });

  it('has nothing to do with backups of a server of one’s own until a place is named', () => {
    const { BACKUP_DIR: _, ...server } = GIVEN;
    expect(readApplicationBackups(server)).toBeUndefined();
    expect(readApplicationBackups({ ...GIVEN, BACKUP_SCHEDULE: 'off' })).toMatchObject({ backupDir: '/srv/backups' });
    expect(() => readApplicationBackups({ ...GIVEN, BACKUP_KEY: '' })).toThrow('BACKUP_KEY must be set');
  });
});
