import { rmSync } from 'node:fs';
import { StartupError } from '../common/errors';
import type { PostgresBinaries } from '../database/postgres-binaries';
import type { RecoveryServer } from '../database/recovery-server';
import { LOGINS } from '../database/login-definitions';
import { urlFor } from '../database/server-connection';
import type { RecoveredCluster } from './engine';

/** @throws StartupError when PostgreSQL's programs cannot run what was backed up */
export function assertMajor({ major }: PostgresBinaries, serverMajor: number): void {
  if (major === serverMajor) return;
  throw new StartupError(
    `The backup is of PostgreSQL ${serverMajor}, the programs here are of ${major}. ` +
      'Set POSTGRES_BIN_DIR to the directory of the right ones, such as /usr/lib/postgresql/15/bin.',
  );
}

/** A server on a directory that is ours, to be kept or removed. */
export function recoveredCluster(server: RecoveryServer, directory: string): RecoveredCluster {
  return {
    adminUrl: server.adminUrl,
    directory,
    finish: () => server.finish(),
    discard: async () => {
      await server.finish();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** For migrations: a session of Tenantry's owner. Our own servers open to us without a password; elsewhere the administrator takes its role. */
export function ownerUrlOf(
  { adminUrl, directory }: Pick<RecoveredCluster, 'adminUrl' | 'directory'>,
  database: string,
): string {
  const { name } = LOGINS.owner;
  if (directory !== undefined) return urlFor(adminUrl(), database, { name, password: '' });
  const url = adminUrl(database);
  return `${url}${url.includes('?') ? '&' : '?'}options=${encodeURIComponent(`-c role=${name}`)}`;
}
