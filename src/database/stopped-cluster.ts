import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { BusyError, StartupError } from '../common/errors';
import { isPostmasterAlive } from './postmaster';
import { type Account, serverAccount } from './unprivileged-account';

/**
 * Makes sure that another data directory can take the place of this one by two renames.
 * @returns the account that it belongs to and the next one must belong to; undefined: we ourselves
 * @throws BusyError while a server runs on it
 * @throws StartupError when it is no data directory, is not ours, or is spread over several file systems
 */
export function assertReplaceable(pgData: string): Account | undefined {
  const found = lstatSync(pgData, { throwIfNoEntry: false });
  if (!found) throw new StartupError(`There is no data directory ${pgData}.`);
  if (found.isSymbolicLink())
    throw new StartupError(`${pgData} is a symbolic link. Name the directory that it leads to.`);
  if (!existsSync(path.join(pgData, 'PG_VERSION')))
    throw new StartupError(`${pgData} is no data directory of PostgreSQL: it has no PG_VERSION.`);
  const account = serverAccount(pgData);
  if (statSync(path.dirname(pgData)).dev !== found.dev)
    throw new StartupError(
      `${pgData} is a file system of its own, which cannot be renamed. Restore with --to a directory inside of it, and have ` +
        'the server use that one.',
    );
  const [tablespace] = readdirSync(path.join(pgData, 'pg_tblspc'));
  if (tablespace !== undefined)
    throw new StartupError(
      `${pgData} has tablespaces (${tablespace}), which are not restored. Move what is in them first.`,
    );
  assertStopped(pgData);
  return account;
}

/** @throws BusyError while a server runs on it */
export function assertStopped(pgData: string): void {
  if (!isPostmasterAlive(pgData)) return;
  throw new BusyError(
    `A PostgreSQL server runs on ${pgData}. Stop it first: Tenantry where it started it, else as it was started ` +
      '(on Debian: systemctl stop postgresql). Nothing was changed.',
  );
}
