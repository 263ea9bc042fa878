import { createHash } from 'node:crypto';
import { lchownSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { canEnter, type ClusterHome } from './cluster-home';

/** Bytes in the path of a unix socket: sockaddr_un.sun_path holds 108, one of them the ending NUL. */
const MAX_SOCKET_PATH_BYTES = 107;
const SOCKET_NAME = '.s.PGSQL.5432';

/**
 * The directory of the server's unix socket, open to the server's account (and root) alone: inside the cluster's home
 * where the path is short enough, otherwise below the directory for temporary files. Made when missing.
 * @throws StartupError when somebody else has made it
 */
export async function makeSocketDirectory(home: ClusterHome): Promise<string> {
  const directory = await chooseSocketDirectory(home);
  const uid = home.account?.uid ?? process.getuid?.();
  try {
    mkdirSync(directory, { mode: 0o700 });
    if (home.account) lchownSync(directory, home.account.uid, home.account.gid);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const found = lstatSync(directory);
    if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077) !== 0) {
      throw new StartupError(
        `${directory} belongs to the database's socket, but is not a closed directory of its account. Remove it.`,
      );
    }
  }
  return directory;
}

async function chooseSocketDirectory(home: ClusterHome): Promise<string> {
  const inside = path.join(home.path, 'socket');
  if (socketFits(inside)) return inside;
  const name = `tenantry-${createHash('sha256').update(home.path).digest('hex').slice(0, 16)}`;
  const outside = path.join(tmpdir(), name);
  return socketFits(outside) && (await canEnter(tmpdir(), home.account)) ? outside : path.join('/tmp', name);
}

/** Whether PostgreSQL can open a socket in this directory. */
export function socketFits(directory: string): boolean {
  return Buffer.byteLength(path.join(directory, SOCKET_NAME)) <= MAX_SOCKET_PATH_BYTES;
}
