import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { runProgram } from './run-program';
import { systemDirectory } from './system-directory';
import { type Account, isRoot, serverAccount } from './unprivileged-account';

/** Where a cluster and what belongs to it lives, and who runs its server. */
export interface ClusterHome {
  /** The data directory as the operator knows it; real path. */
  dataDir: string;
  /** Holds `data` (the cluster), the superuser's password, the log and the socket. It appears whole, or not at all. */
  path: string;
  /** Undefined: we ourselves. */
  account: Account | undefined;
}

/**
 * Finds or chooses the home of the cluster of a data directory, which is made when it is missing. It is
 * `<dataDir>/postgres`; as root that is a symbolic link into /var/lib/tenantry where the server's account cannot reach
 * the data directory. The link is made before its target, so that a start cut short in between finds its way back;
 * whoever deletes the data directory deletes the link, and gets a new cluster.
 */
export async function locateClusterHome(directory: string): Promise<ClusterHome> {
  const dataDir = makeDataDir(directory);
  const home = path.join(dataDir, 'postgres');
  const found = lstatSync(home, { throwIfNoEntry: false });
  if (found) {
    const target = found.isSymbolicLink() ? path.resolve(dataDir, readlinkSync(home)) : home;
    const account = serverAccount(target);
    if (account && existsSync(target) && !(await canEnter(target, account))) {
      throw new StartupError(
        `The account ${account.name}, which runs the database as PostgreSQL refuses root, cannot reach ${target}.\n` +
          'Let it pass through the directories above (chmod o+x), or move the data directory to where it can.',
      );
    }
    return { dataDir, path: target, account };
  }
  const account = serverAccount(home);
  if (!account || (await canEnter(dataDir, account))) return { dataDir, path: home, account };
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12);
  // The random part keeps the new cluster apart from that of a data directory which stood here and was deleted.
  const target = path.join(systemDirectory(), `${hash}-${randomBytes(3).toString('hex')}`);
  try {
    symlinkSync(target, home);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // else another start was faster
  }
  return { dataDir, path: path.resolve(dataDir, readlinkSync(home)), account };
}

/** Whether an account (we ourselves when undefined) can pass through a directory and all those above it. */
export async function canEnter(directory: string, account?: Account): Promise<boolean> {
  try {
    await runProgram('/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory], account);
    return true;
  } catch {
    return false;
  }
}

/** Closed to others when we make it: it holds passwords. As root the server's account must pass through it. */
function makeDataDir(directory: string): string {
  if (mkdirSync(directory, { recursive: true })) chmodSync(directory, isRoot() ? 0o711 : 0o700);
  return realpathSync(directory);
}
