import type { BackupEnv } from '../../config/backup-env';
import { openKeys } from './open-keys';
import { openRepository } from './open-repository';
import { SealedNotes } from './sealed-notes';

/** The notes of the configuration's repository, whatever engine takes the backups. */
export function openNotes(env: BackupEnv): SealedNotes {
  return new SealedNotes(openRepository(env), openKeys(env));
}
