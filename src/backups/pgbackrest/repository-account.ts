import { existsSync, readFileSync } from 'node:fs';
import { StartupError } from '../../common/errors';
import { type Account, chooseAccount, isRoot, serverAccount } from '../../database/unprivileged-account';

/** Where pgBackRest looks, in its order (manual, "Configuration"). */
const DEFAULT_CONFIGS = ['/etc/pgbackrest/pgbackrest.conf', '/etc/pgbackrest.conf'];

/**
 * Who runs pgBackRest: the account of the server that it backs up, since what it writes must be that one's.
 * @returns undefined: we ourselves
 * @throws StartupError when there is no such configuration
 */
export function repositoryAccount(stanza: string, config: string | undefined): Account | undefined {
  const file = config ?? DEFAULT_CONFIGS.find((name) => existsSync(name));
  if (config !== undefined && !existsSync(config))
    throw new StartupError(`PGBACKREST_CONFIG: there is no file ${config}.`);
  if (!isRoot()) return undefined;
  const pgData = file === undefined ? undefined : pgPathIn(readFileSync(file, 'utf8'), stanza);
  // Beside a repository of another machine, or before the server is there again, it is whoever would run a new one.
  return pgData !== undefined && existsSync(pgData)
    ? serverAccount(pgData)
    : chooseAccount(readFileSync('/etc/passwd', 'utf8'));
}

/** `pg1-path` of the section of the stanza. */
export function pgPathIn(config: string, stanza: string): string | undefined {
  let section = '';
  for (const line of config.split('\n').map((one) => one.trim())) {
    section = /^\[(.+)\]$/.exec(line)?.[1] ?? section;
    const value = section === stanza ? /^pg1-path\s*=\s*(.+)$/.exec(line)?.[1] : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}
