import path from 'node:path';
import { StartupError } from '../common/errors';
import { type BackupBucket, readBackupBucket } from './backup-bucket';
import { type EngineSettings, readEngineSettings } from './backup-engine';
import { type BackupSchedule, readBackupSchedule } from './backup-schedule';
import { resolveSecrets } from './secret-variables';

/** What backups and restores are told. */
export interface BackupEnv {
  engine: EngineSettings;
  /** The directory that backups lie in, unless there is a bucket. */
  backupDir: string;
  /** Undefined: they lie in the directory. */
  bucket: BackupBucket | undefined;
  /** 32 bytes each; the first one seals, the others open what was sealed before. Undefined: one is made in DATA_DIR. */
  keys: readonly Buffer[] | undefined;
  /** Of the login tenantry_backup; undefined: the embedded database's. */
  url: string | undefined;
  /** In production, unless POSTGRES_ALLOW_PLAINTEXT is true. */
  refusesPlainText: boolean;
  dataDir: string;
  /** The directory of PostgreSQL's programs for restores; undefined: the embedded ones. */
  postgresBinDir: string | undefined;
  /** Where drills restore to; undefined: in DATA_DIR. */
  drillDir: string | undefined;
  schedule: BackupSchedule;
  /** So long the restore of a tenant in place can be undone. */
  tenantUndoDays: number;
}

const KEY_BYTES = 32;
const DEFAULT_UNDO_DAYS = '7';

/** @throws StartupError naming each wrong variable, never its value */
export function readBackupEnv(source: NodeJS.ProcessEnv = process.env): BackupEnv {
  const { values, problems } = resolveSecrets(source);
  const { BACKUP_DIR, BACKUP_KEY, BACKUP_OLD_KEYS, POSTGRES_URL, POSTGRES_BACKUP_URL, POSTGRES_BIN_DIR } = values;
  const dataDir = values.DATA_DIR ?? '.data';
  const bucket = readBackupBucket(values, problems);
  const place = BACKUP_DIR ?? bucket?.bucket;
  if (BACKUP_DIR && bucket) problems.push('BACKUP_DIR and BACKUP_S3_BUCKET are both set: choose one');
  // A key beside the data would be lost with it: whoever chooses a place for backups says with which key, too.
  if ((place ?? POSTGRES_URL) && !BACKUP_KEY)
    problems.push('BACKUP_KEY must be set (openssl rand -base64 32), and kept where the backups are not');
  if (POSTGRES_URL && !place) problems.push('BACKUP_DIR or BACKUP_S3_BUCKET must be set when POSTGRES_URL is');
  if (POSTGRES_URL && !POSTGRES_BACKUP_URL) problems.push('POSTGRES_BACKUP_URL must be set when POSTGRES_URL is');
  const keys = [BACKUP_KEY ?? [], BACKUP_OLD_KEYS?.split(',') ?? []].flat().map((text) => Buffer.from(text, 'base64'));
  if (keys.some(({ length }) => length !== KEY_BYTES))
    problems.push('BACKUP_KEY and each of BACKUP_OLD_KEYS (comma separated) must be 32 bytes in base64');
  const engine = readEngineSettings(values, problems);
  const schedule = readBackupSchedule(values, problems);
  const undoDays = values.TENANT_RESTORE_UNDO_DAYS ?? DEFAULT_UNDO_DAYS;
  if (!/^\d{1,4}$/.test(undoDays)) problems.push('TENANT_RESTORE_UNDO_DAYS must be a whole number of days');
  if (problems.length > 0)
    throw new StartupError(`The configuration is wrong:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  return {
    engine,
    backupDir: BACKUP_DIR ?? path.join(dataDir, 'backups'),
    bucket,
    keys: BACKUP_KEY ? keys : undefined,
    url: POSTGRES_BACKUP_URL,
    refusesPlainText: values.NODE_ENV === 'production' && values.POSTGRES_ALLOW_PLAINTEXT !== 'true',
    dataDir,
    postgresBinDir: POSTGRES_BIN_DIR,
    drillDir: values.DRILL_DIR,
    schedule,
    tenantUndoDays: Number(undoDays),
  };
}

/** Of these one says that backups are wanted; with a server of one's own, none of them: they are somebody else's. */
const PLACES = ['BACKUP_DIR', 'BACKUP_S3_BUCKET', 'BACKUP_ENGINE'] as const;

/**
 * What the application is told of backups. Undefined: it has nothing to do with them. With POSTGRES_URL that is so until a place is
 * named; beside the embedded database, where they need nothing, only with BACKUP_SCHEDULE=off.
 * @throws StartupError as readBackupEnv()
 */
export function readApplicationBackups(source: NodeJS.ProcessEnv = process.env): BackupEnv | undefined {
  const isWanted =
    source.POSTGRES_URL || source.POSTGRES_URL_FILE
      ? PLACES.some((name) => source[name])
      : source.BACKUP_SCHEDULE !== 'off';
  return isWanted ? readBackupEnv(source) : undefined;
}

/** The same for a command of an operator, whoever takes the backups: also where the application does not by itself. */
export function readKnownBackups(source: NodeJS.ProcessEnv = process.env): BackupEnv | undefined {
  const { BACKUP_SCHEDULE: schedule, ...others } = source;
  return readApplicationBackups(schedule === 'off' ? others : source);
}
