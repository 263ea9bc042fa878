import { existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { locateClusterHome } from '../../src/database/cluster-home';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { bootstrapDatabase } from '../../src/database/logins';
import { deployMigrations } from '../../src/database/migrations';
import { runProgram } from '../../src/database/run-program';
import { makeTestDirectory, removeTestDirectory, sharedPlace } from './test-directory';

/** That of startEmbeddedDatabase(). */
export const DATABASE = 'tenantry';

/**
 * Puts a stopped cluster with Tenantry's logins and schema into an empty data directory, so that a start there has next to
 * nothing to do: a copy of one that each worker of a run makes once.
 * @param binDir of the server's programs; undefined: the embedded ones
 */
export async function copyPreparedCluster(dataDir: string, binDir?: string): Promise<void> {
  const prepared = sharedPlace(`cluster-${encodeURIComponent(binDir ?? 'embedded')}`);
  if (!existsSync(prepared)) {
    await prepareCluster(`${prepared}.partial`, binDir);
    renameSync(`${prepared}.partial`, prepared);
  }
  await copyHome(prepared, (await locateClusterHome(dataDir)).path);
}

async function prepareCluster(target: string, binDir: string | undefined): Promise<void> {
  const dataDir = makeTestDirectory();
  try {
    const server = await startEmbeddedPostgres({ dataDir, settings: { fsync: 'off' }, ...(binDir && { binDir }) });
    try {
      const { urls } = await bootstrapDatabase(server.adminUrl(), { database: DATABASE });
      await deployMigrations(urls.owner!);
    } finally {
      await server.stop();
    }
    await copyHome((await locateClusterHome(dataDir)).path, target);
    rmSync(path.join(target, 'server.log')); // of its own server
  } finally {
    removeTestDirectory(dataDir);
  }
}

/** With its owner, who is not always us. */
const copyHome = (home: string, target: string): Promise<string> => runProgram('/bin/cp', ['-a', home, target]);
