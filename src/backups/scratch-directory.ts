import { createHash } from 'node:crypto';
import path from 'node:path';
import type { BackupEnv } from '../config/backup-env';
import { canEnter } from '../database/cluster-home';
import { systemDirectory } from '../database/system-directory';
import { serverAccount } from '../database/unprivileged-account';

/** Where clusters lie that are thrown away again. As root, where the server's account cannot reach DATA_DIR, in the system's directory. */
export async function scratchDirectory({ drillDir, dataDir }: BackupEnv): Promise<string> {
  const directory = path.resolve(drillDir ?? dataDir);
  const account = serverAccount(path.join(directory, 'drill'));
  if (drillDir !== undefined || !account || (await canEnter(directory, account))) return directory;
  const hash = createHash('sha256').update(directory).digest('hex').slice(0, 12);
  return path.join(systemDirectory(), `drills-${hash}`);
}
