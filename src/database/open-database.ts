import { StartupError } from '../common/errors';
import type { Env } from '../config/env';
import { parseConnectionString, refusePlainText } from './connection-string';
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
    const urls = givenUrls(env, env.POSTGRES_URL, env.POSTGRES_PLATFORM_URL);
    await assertMigrated(urls.app, env.POSTGRES_CONNECT_TIMEOUT_MS);
    return { urls, dataDir: undefined, stop: () => Promise.resolve() };
  }
  return startEmbeddedDatabase(env.DATA_DIR);
}

/** @throws StartupError when one of them would not do */
function givenUrls(env: Env, app: string, platform: string): DatabaseUrls {
  const { POSTGRES_MONITOR_URL: monitor, POSTGRES_REPLICA_URL: replica } = env;
  const given = {
    POSTGRES_URL: app,
    POSTGRES_PLATFORM_URL: platform,
    POSTGRES_MONITOR_URL: monitor,
    POSTGRES_REPLICA_URL: replica,
  };
  const users = new Map<string, string>();
  for (const [variable, url] of Object.entries(given)) {
    if (url === undefined) continue;
    const target = parseConnectionString(url, variable);
    if (env.NODE_ENV === 'production' && !env.POSTGRES_ALLOW_PLAINTEXT) refusePlainText(target);
    users.set(variable, target.user);
  }
  // A standby has the logins of its primary: the one that login-check.ts examines is then this one as well.
  if (replica !== undefined && users.get('POSTGRES_REPLICA_URL') !== users.get('POSTGRES_URL')) {
    throw new StartupError('POSTGRES_REPLICA_URL must be of the same login as POSTGRES_URL.');
  }
  return { app, platform, monitor, replica };
}
