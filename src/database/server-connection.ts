import type pg from 'pg';
import { StartupError } from '../common/errors';
import { type HostAddress, POSTGRES_URL_ADVICE, readPostgresUrl, writePostgresUrl } from '../common/postgres-url';
import { type ConnectionTarget, parseConnectionString } from './connection-string';
import { connectToFirst, nameOf, NoServerError } from './first-server';
import { isTlsFault } from './tls-fault';

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Connects to the database of a URL; of several hosts, to the first that takes writes (connection-string.ts).
 * @param variable that holds the URL, for messages
 * @throws StartupError saying what is wrong, without the URL
 */
export async function connectTo(url: string, timeoutMs = CONNECT_TIMEOUT_MS, variable?: string): Promise<pg.Client> {
  const target = parseConnectionString(url, variable);
  try {
    return (await connectToFirst(target, timeoutMs, 'tenantry-start')).client;
  } catch (error) {
    if (!(error instanceof NoServerError)) throw error;
    const reasons = error.failures.map((failure) => reasonOf(failure.error, failure.address, target));
    // The cause tells callers the server's own code; of several hosts the last one's.
    throw new StartupError(reasons.join('\n'), { cause: error.failures.at(-1)!.error });
  }
}

/** A URL of the same servers for another database, and for another login when one is given. */
export function urlFor(url: string, database: string, login?: { name: string; password: string }): string {
  const parts = readPostgresUrl(url);
  if (!parts) throw new StartupError(`A URL of PostgreSQL cannot be read: ${POSTGRES_URL_ADVICE}.`);
  return writePostgresUrl({ ...parts, database, ...(login && { user: login.name, password: login.password }) });
}

/** Why a server could not be connected to, in words for the operator. */
function reasonOf(error: Error, address: HostAddress, { user, database }: ConnectionTarget): string {
  const { message } = error;
  const code = stateOf(error);
  const where = nameOf(address);
  const reasons: Record<string, string> = {
    '28P01': `PostgreSQL at ${where} refuses the password of ${user}.`,
    '28000': `PostgreSQL at ${where} refuses ${user}: ${message}.`,
    '3D000': `PostgreSQL at ${where} has no database ${database}.`,
    '53300': `PostgreSQL at ${where} has no connection to spare: ${message}.`,
  };
  if (code !== undefined && reasons[code]) return reasons[code];
  if (/^[0-9A-Z]{5}$/.test(code ?? '') || message.startsWith('it is ')) return `PostgreSQL at ${where}: ${message}.`;
  if (isTlsFault(error)) return `The encryption to PostgreSQL at ${where} fails: ${message} (${code ?? 'TLS'}).`;
  return `No PostgreSQL server answers at ${where} (${code ?? message}). Is it running, and is the address right?`;
}

/** PgBouncer says the same SQLSTATE (protocol_violation) for whatever keeps a client out; its words tell them apart. */
function stateOf({ code, message }: NodeJS.ErrnoException): string | undefined {
  if (code !== '08P01') return code;
  if (/authentication failed|no such user/.test(message)) return '28P01';
  return /^no such database|^database ".*" does not exist/.test(message) ? '3D000' : code;
}
