import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../src/database/embedded-postgres';
import { LOGIN_PURPOSES, type LoginPurpose, type LoginUrls } from '../../src/database/login-definitions';
import { bootstrapDatabase } from '../../src/database/logins';
import { deployMigrations } from '../../src/database/migrations';
import { STATISTICS_SETTINGS } from '../../src/database/statement-statistics';
import { PgBouncer, pgBouncerProgram } from './pgbouncer';

/** Where the workers find the server of this run. */
export interface TestServer {
  /** A URL of the superuser. */
  adminUrl: string;
  /** URLs of Tenantry's logins, for the template. Those that serve requests lead through PgBouncer when the run does. */
  urls: LoginUrls;
  /** A migrated database to copy; nobody can connect to it. */
  template: string;
  /** For whatever else a spec puts on the disk; removed after the run. */
  directory: string;
}

const TEMPLATE = 'tenantry_template';

/** Nothing here needs to survive a crash. Statistics come when a spec says ANALYZE, so that plans do not change by chance. */
const SETTINGS = {
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  autovacuum: 'off',
  max_connections: '300',
  ...STATISTICS_SETTINGS,
  'pg_stat_statements.max': '20000', // the databases of all suites share them
};

/**
 * Starts the server of this run in `directory`, with the logins and a migrated template.
 * TEST_POSTGRES_BIN selects other programs than the embedded ones, such as /usr/lib/postgresql/15/bin; TEST_PGBOUNCER puts
 * that program before the server.
 */
export async function startTestServer(directory: string): Promise<{ coordinates: TestServer; stop(): Promise<void> }> {
  const binDir = process.env.TEST_POSTGRES_BIN;
  const server = await startEmbeddedPostgres({ dataDir: directory, settings: SETTINGS, ...(binDir && { binDir }) });
  try {
    const passwords = Object.fromEntries(
      LOGIN_PURPOSES.map((purpose) => [purpose, randomBytes(16).toString('hex')]),
    ) as Record<LoginPurpose, string>;
    const { urls } = await bootstrapDatabase(server.adminUrl(), { database: TEMPLATE, passwords });
    await deployMigrations((urls as LoginUrls).owner);
    await closeDatabase(server.adminUrl(), TEMPLATE);
    const program = pgBouncerProgram();
    const bouncer = program ? await PgBouncer.start(program, directory, server.adminUrl()) : undefined;
    const loginUrls = bouncer?.urlsOf(urls as LoginUrls) ?? (urls as LoginUrls);
    const coordinates = { adminUrl: server.adminUrl(), urls: loginUrls, template: TEMPLATE, directory };
    const stop = async (): Promise<void> => {
      await bouncer?.stop();
      await server.stop();
      removeSocketDirectory(server.adminUrl());
    };
    return { coordinates, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** A database can be copied while nobody is connected to it. */
async function closeDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`ALTER DATABASE ${pg.escapeIdentifier(name)} ALLOW_CONNECTIONS false`);
  } finally {
    await client.end();
  }
}

/** It stands beside the test directory where that one's path is too long for a socket; otherwise it goes with it anyway. */
function removeSocketDirectory(adminUrl: string): void {
  const socketDirectory = new URL(adminUrl).searchParams.get('host');
  if (socketDirectory) rmSync(socketDirectory, { recursive: true, force: true });
}
