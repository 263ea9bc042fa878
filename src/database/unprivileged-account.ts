import { readFileSync, statSync } from 'node:fs';
import { StartupError } from '../common/errors';

/** An account of the operating system. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** The accounts that are asked first; both are usual on Debian, `nobody` everywhere. */
const PREFERRED = ['postgres', 'nobody'];

export const isRoot = (): boolean => process.getuid?.() === 0;

/**
 * Who runs the server when we are root, since PostgreSQL refuses root: `postgres`, else `nobody`, else the first account
 * that is not root. It has to exist: initdb fails under a user id without an entry.
 * @param passwd the text of /etc/passwd
 * @throws StartupError when root is the only account
 */
export function chooseAccount(passwd: string): Account {
  const accounts = parsePasswd(passwd).filter((account) => account.uid > 0);
  const chosen =
    PREFERRED.map((name) => accounts.find((account) => account.name === name)).find(Boolean) ?? accounts[0];
  if (!chosen) {
    throw new StartupError(
      'PostgreSQL refuses to run as root, and this machine has no other account.\n' +
        'Create one (useradd --system postgres), or set POSTGRES_URL to use a PostgreSQL server of your own.',
    );
  }
  return chosen;
}

/**
 * The account that must run the server of an existing cluster, or of a new one when `clusterHome` does not exist yet;
 * undefined when that is simply our own.
 * @throws StartupError when the cluster belongs to somebody whom we cannot become
 */
export function serverAccount(clusterHome: string): Account | undefined {
  const owner = statSync(clusterHome, { throwIfNoEntry: false });
  if (!isRoot()) {
    if (owner && process.getuid && owner.uid !== process.getuid()) {
      throw new StartupError(
        `The database in ${clusterHome} belongs to another account (user id ${owner.uid}).\n` +
          'Start as that account or as root, or choose another directory with DATA_DIR.',
      );
    }
    return undefined;
  }
  const passwd = readFileSync('/etc/passwd', 'utf8');
  if (!owner) return chooseAccount(passwd);
  if (owner.uid === 0) {
    const { name } = chooseAccount(passwd);
    throw new StartupError(
      `The database in ${clusterHome} belongs to root, and PostgreSQL refuses to run as root.\n` +
        `It was probably copied. Give it away: chown -R ${name}: ${clusterHome}`,
    );
  }
  const known = parsePasswd(passwd).find((account) => account.uid === owner.uid);
  return { name: known?.name ?? String(owner.uid), uid: owner.uid, gid: owner.gid };
}

function parsePasswd(passwd: string): Account[] {
  return passwd.split('\n').flatMap((line) => {
    const [name, , uid, gid] = line.split(':');
    return name && uid && gid ? [{ name, uid: Number(uid), gid: Number(gid) }] : [];
  });
}
