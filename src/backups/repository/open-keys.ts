import path from 'node:path';
import type { BackupEnv } from '../../config/backup-env';
import { readOrMakeKey } from '../../config/key-file';
import { BackupKey } from './sealed-stream';

const KEY_FILE = 'backup.key';

/** The keys of the configuration, the current one first; without one given, one that is made once in DATA_DIR. */
export function openKeys(env: BackupEnv): BackupKey[] {
  const keys = env.keys ?? [Buffer.from(readOrMakeKey(path.join(env.dataDir, KEY_FILE)), 'base64')];
  return keys.map((bytes) => new BackupKey(bytes));
}
