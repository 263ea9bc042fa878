import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { StartupError } from '../common/errors';
import { readPostgresUrl } from '../common/postgres-url';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './embedded-postgres';
import { LOGIN_PURPOSES, type LoginPurpose, LOGINS, type LoginUrls } from './login-definitions';
import { bootstrapDatabase } from './logins';
import { applyMigrations } from './migrations';
import { urlFor } from './server-connection';
import { STATISTICS_SETTINGS } from './statement-statistics';

/** A database ready to serve. */
export interface EmbeddedDatabase {
  urls: LoginUrls;
  /** The cluster's directory (PGDATA); real path. */
  dataDir: string;
  stop(): Promise<void>;
}

const DATABASE = 'tenantry';
const LOGINS_FILE = 'logins.json';
/** Where nobody receives the log any more, it must not fill the disk: beyond this it is lost, and a base backup closes the gap. */
const LOG_SETTINGS = { max_slot_wal_keep_size: '1GB' };

/**
 * Starts the private PostgreSQL of a data directory with its logins and its schema up to date.
 * `<dataDir>/logins.json` (0600) keeps the logins' URLs: prisma.config.ts finds the owner's there.
 * @throws StartupError with the reason
 */
export async function startEmbeddedDatabase(dataDir: string): Promise<EmbeddedDatabase> {
  const server = await startEmbeddedPostgres({ dataDir, settings: { ...STATISTICS_SETTINGS, ...LOG_SETTINGS } });
  try {
    const urls = keepUrls(path.join(dataDir, LOGINS_FILE), server);
    await bootstrapDatabase(server.adminUrl(), {
      database: DATABASE,
      passwords: passwordsIn(urls),
      ownerMayCreateDatabases: true,
    });
    await applyMigrations(urls.owner);
    return { urls, dataDir: server.dataDir, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The URLs as they are now, with the passwords that were kept, written before any login gets its password. */
function keepUrls(file: string, server: EmbeddedPostgres): LoginUrls {
  const kept = passwordsIn(readUrls(file));
  const url = (purpose: LoginPurpose): string =>
    urlFor(server.adminUrl(), DATABASE, {
      name: LOGINS[purpose].name,
      password: kept[purpose] ?? randomBytes(24).toString('base64url'),
    });
  const urls = Object.fromEntries(LOGIN_PURPOSES.map((purpose) => [purpose, url(purpose)])) as LoginUrls;
  const text = `${JSON.stringify(urls, null, 2)}\n`;
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return urls;
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
  return urls;
}

/** The logins' URLs of an embedded database, as its last start left them; {} when there has been none. */
export function keptLoginUrls(dataDir: string): Partial<LoginUrls> {
  return readUrls(path.join(dataDir, LOGINS_FILE));
}

function readUrls(file: string): Partial<LoginUrls> {
  if (!existsSync(file)) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<LoginUrls>;
  } catch (error) {
    throw new StartupError(
      `${file} cannot be read: ${(error as Error).message}\nDelete it: the logins get new passwords.`,
      { cause: error },
    );
  }
}

function passwordsIn(urls: Partial<LoginUrls>): Partial<Record<LoginPurpose, string>> {
  return Object.fromEntries(Object.entries(urls).map(([purpose, url]) => [purpose, readPostgresUrl(url)?.password]));
}
