import type { Env } from '../config/env';
import { startEmbeddedDatabase } from './embedded-database';
import { assertMigrated } from './migrations';
import type { DatabaseUrls } from './pools';

/** A migrated database, ours or given. */
export interface OpenDatabase {
  urls: DatabaseUrls;
  /** Where the embedded database lives; undefined when POSTGRES_URL names the server. */
  dataDir: string | undefined;
  /** Stops the embedded server; a given one is left alone. */
  stop(): Promise<void>;
}

/**
 * The database of POSTGRES_URL, or an embedded one in DATA_DIR.
 * @throws StartupError when it cannot be reached, or has migrations to come
 */
export async function openDatabase(env: Env): Promise<OpenDatabase> {
  if (env.POSTGRES_URL && env.POSTGRES_PLATFORM_URL) {
    const urls = { app: env.POSTGRES_URL, platform: env.POSTGRES_PLATFORM_URL };
    await assertMigrated(urls.app, env.POSTGRES_CONNECT_TIMEOUT_MS);
    return { urls, dataDir: undefined, stop: () => Promise.resolve() };
  }
  return startEmbeddedDatabase(env.DATA_DIR);
}
