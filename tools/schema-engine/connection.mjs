import { createRequire } from 'node:module';
import pg from 'pg';

const require = createRequire(import.meta.url);
// pg's own reading of a URL, so that sockets (?host=/dir) and TLS (sslmode, sslrootcert, …) mean here what they mean to
// the application.
const { parseIntoClientConfig } = createRequire(require.resolve('pg'))('pg-connection-string');

const CONNECT_TIMEOUT_SECONDS = 5;

/**
 * The settings of a connection, and Prisma's own `?schema=`. Never hand pg the URL itself: it would win over
 * `database`, and the shadow database would be the main one.
 */
export function readUrl(url, overrides = {}) {
  const { host, port, user, password, database, ssl, options, schema, connect_timeout } = parseIntoClientConfig(url);
  return {
    schema: schema ?? 'public',
    config: {
      host,
      port,
      user,
      password,
      database: database ?? 'postgres',
      ssl,
      options,
      application_name: 'prisma-migrate',
      max: 1,
      connectionTimeoutMillis: 1000 * Number(connect_timeout ?? CONNECT_TIMEOUT_SECONDS),
      ...overrides,
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function runStatement(url, sql, overrides) {
  const client = new pg.Client(readUrl(url, overrides).config);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

export const createDatabase = (url, name) =>
  runStatement(url, `CREATE DATABASE ${pg.escapeIdentifier(name)}`, MAINTENANCE);

export const dropDatabase = (url, name, suffix = '') =>
  runStatement(url, `DROP DATABASE ${pg.escapeIdentifier(name)}${suffix}`, MAINTENANCE);

/** A database cannot be created or dropped from within. */
const MAINTENANCE = { database: 'postgres' };
