// Databases side by side on one embedded server.
import { randomBytes } from 'node:crypto';
import { program } from './program.mjs';

/** A quarter of a small server's memory, as the manual advises: databases of half a million users are no default ones. */
export const SETTINGS = { shared_buffers: '1GB', max_connections: '200', max_wal_size: '4GB' };

/**
 * @typedef {object} GrowthServer
 * @property {string} dataDir PGDATA
 * @property {(name: string) => Promise<{ urls: Record<string, string>, superuserUrl: string }>} makeDatabase migrated and empty
 * @property {() => Promise<void>} stop
 */

/** @returns {Promise<GrowthServer>} */
export async function startGrowthServer(dataDir) {
  const { startEmbeddedPostgres } = program('database/embedded-postgres');
  const { LOGIN_PURPOSES } = program('database/login-definitions');
  const { bootstrapDatabase } = program('database/logins');
  const { deployMigrations } = program('database/migrations');
  const server = await startEmbeddedPostgres({ dataDir, settings: SETTINGS });
  const passwords = Object.fromEntries(LOGIN_PURPOSES.map((purpose) => [purpose, randomBytes(16).toString('hex')]));
  return {
    dataDir: server.dataDir,
    async makeDatabase(name) {
      const { urls } = await bootstrapDatabase(server.adminUrl(), { database: name, passwords });
      await deployMigrations(urls.owner);
      return { urls, superuserUrl: server.adminUrl(name) };
    },
    stop: () => server.stop(),
  };
}
