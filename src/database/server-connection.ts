import pg from 'pg';
import { StartupError } from '../common/errors';

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects to the database of a URL.
 * @throws StartupError saying what is wrong, without the URL
 */
export async function connectTo(url: string, timeoutMs = CONNECT_TIMEOUT_MS): Promise<pg.Client> {
  parseUrl(url);
  const client = new pg.Client({
    connectionString: url,
    application_name: 'tenantry-start',
    connectionTimeoutMillis: timeoutMs,
  });
  client.on('error', () => undefined); // the query under way fails with it and tells
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw asStartupError(error, client);
  }
}

/** A URL of the same server for another database, and for another login when one is given. */
export function urlFor(url: string, database: string, login?: { name: string; password: string }): string {
  const parsed = parseUrl(url);
  parsed.hostname ||= 'localhost'; // a URL without a host (it stands in ?host=) can hold no user
  parsed.pathname = `/${encodeURIComponent(database)}`;
  if (login) {
    parsed.username = encodeURIComponent(login.name);
    parsed.password = encodeURIComponent(login.password);
  }
  return parsed.toString();
}

function parseUrl(url: string): URL {
  try {
    return new URL(url);
  } catch {
    throw new StartupError(
      'A URL of PostgreSQL cannot be read. It looks like postgresql://user:password@host:5432/database; in a password, percent-encode what is neither letter nor digit.',
    );
  }
}

function asStartupError(error: unknown, { host, port, user, database }: pg.Client): StartupError {
  const { code, message } = error as { code?: string; message: string };
  const where = host.startsWith('/') ? host : `${host}:${port}`;
  const unreachable = `No PostgreSQL server answers at ${where} (${code ?? message}). Is it running, and is the address right?`;
  const reasons: Record<string, string> = {
    '28P01': `PostgreSQL at ${where} refuses the password of ${user}.`,
    '28000': `PostgreSQL at ${where} refuses ${user}: ${message}.`,
    '3D000': `PostgreSQL at ${where} has no database ${database}.`,
    '53300': `PostgreSQL at ${where} has no connection to spare: ${message}.`,
  };
  const reason =
    reasons[code ?? ''] ?? (/^[0-9A-Z]{5}$/.test(code ?? '') ? `PostgreSQL at ${where}: ${message}` : unreachable);
  return new StartupError(reason, { cause: error });
}
