import type { BackupEnv } from '../../config/backup-env';
import { LocalRepository } from './local-repository';
import type { BackupRepository } from './repository';

/** The repository of the configuration; nothing is asked of it yet. */
export function openRepository({ bucket, backupDir }: BackupEnv): BackupRepository {
  if (!bucket) return new LocalRepository(backupDir);
  // oxlint-disable-next-line typescript/no-require-imports -- the SDK takes 20 MB, which only who has a bucket pays
  const { S3Repository } = require('./s3-repository') as typeof import('./s3-repository');
  return new S3Repository(bucket);
}
