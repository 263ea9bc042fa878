import { StartupError } from '../common/errors';
import { isLoopback } from '../common/loopback';
import { type HostAddress, POSTGRES_URL_ADVICE, readPostgresUrl } from '../common/postgres-url';
import { readTls, TLS_PARAMETERS, type TlsSettings } from './tls-settings';

/** Which server of several is meant; the names and their meaning are libpq's (manual, "target_session_attrs"). */
export const SESSION_ATTRIBUTES = ['any', 'read-write', 'read-only', 'primary', 'standby', 'prefer-standby'] as const;
export type SessionAttributes = (typeof SESSION_ATTRIBUTES)[number];

/** Where to connect, as whom, and how: what a connection string says. */
export interface ConnectionTarget {
  /** The variable that held it, for messages. */
  variable: string;
  /** In the order in which they are tried. */
  hosts: readonly HostAddress[];
  user: string;
  password: string | undefined;
  database: string;
  sessionAttributes: SessionAttributes;
  tls: TlsSettings;
  /** `connect_timeout`, for each host. */
  connectTimeoutMs: number | undefined;
  /** Sent to the server as they are: `application_name`, `options`. */
  startup: { application_name?: string; options?: string };
}

/** Taken and not needed: what they ask for is so anyway, or means something to Prisma alone. */
const IGNORED = ['uselibpqcompat', 'schema', 'client_encoding', 'fallback_application_name', 'keepalives'];
const KNOWN = new Set([
  'target_session_attrs',
  'connect_timeout',
  'application_name',
  'options',
  ...TLS_PARAMETERS,
  ...IGNORED,
]);

/**
 * Reads a connection string with libpq's meaning. What it does not know is refused: a misspelt `sslmode` would otherwise
 * go unnoticed.
 * @param variable that holds it
 * @param fallback for several hosts without `target_session_attrs`. libpq's is `any`, under which half of all writes could
 *   end at a standby
 * @throws StartupError naming the variable, never its value
 */
export function parseConnectionString(
  text: string,
  variable = 'A URL of PostgreSQL',
  fallback: SessionAttributes = 'read-write',
): ConnectionTarget {
  const url = readPostgresUrl(text);
  if (!url) throw new StartupError(`${variable} cannot be read: ${POSTGRES_URL_ADVICE}.`);
  const { user, password, hosts, parameters } = url;
  if (user === undefined) throw new StartupError(`${variable} names no user.`);
  const unknown = [...parameters.keys()].filter((name) => !KNOWN.has(name));
  if (unknown.length > 0) {
    // The names only: whoever forgot to encode a password has its end among them.
    const [first = ''] = unknown;
    const name = /^[a-z_]{1,30}$/.test(first) ? `"${first}"` : 'one of its parameters';
    throw new StartupError(`${variable}: ${name} is not understood. Known: ${[...KNOWN].toSorted().join(', ')}.`);
  }
  const application = parameters.get('application_name');
  const options = parameters.get('options');
  return {
    variable,
    hosts,
    user,
    password,
    database: url.database ?? user,
    sessionAttributes: readAttributes(parameters, variable) ?? (hosts.length > 1 ? fallback : 'any'),
    tls: readTls(parameters, variable),
    connectTimeoutMs: readTimeout(parameters, variable),
    startup: { ...(application && { application_name: application }), ...(options && { options }) },
  };
}

/**
 * Refuses a target whose connections could go in plain text to another machine (production).
 * @throws StartupError saying what to do
 */
export function refusePlainText({ variable, hosts, tls }: ConnectionTarget): void {
  if (tls.isRequired) return;
  if (hosts.every(({ host }) => isSocket(host) || isLoopback(host))) return;
  throw new StartupError(
    `${variable} would connect to another machine in plain text. Add sslmode=verify-full (with sslrootcert=<file> where the ` +
      'server has a certificate of your own authority); on a network that you trust, set POSTGRES_ALLOW_PLAINTEXT=true.',
  );
}

export const isSocket = (host: string): boolean => host.startsWith('/');

function readAttributes(parameters: ReadonlyMap<string, string>, variable: string): SessionAttributes | undefined {
  const given = parameters.get('target_session_attrs');
  const known = SESSION_ATTRIBUTES.find((name) => name === given);
  if (given !== undefined && !known) {
    throw new StartupError(`${variable}: target_session_attrs must be one of ${SESSION_ATTRIBUTES.join(', ')}.`);
  }
  return known;
}

function readTimeout(parameters: ReadonlyMap<string, string>, variable: string): number | undefined {
  const given = parameters.get('connect_timeout');
  if (given === undefined || given === '0') return undefined; // libpq: 0 waits for ever; ours is bounded by the pool's
  if (!/^\d{1,4}$/.test(given)) throw new StartupError(`${variable}: connect_timeout must be a number of seconds.`);
  return Number(given) * 1000;
}
