import { rmSync } from 'node:fs';
import { StartupError } from '../common/errors';
import type { PostgresBinaries } from '../database/postgres-binaries';
import type { RecoveryServer } from '../database/recovery-server';
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
