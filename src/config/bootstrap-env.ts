import { StartupError } from '../common/errors';
import { readPostgresUrl } from '../common/postgres-url';
import { Env } from './env';
import { resolveSecrets } from './secret-variables';

/** What `npm run db:bootstrap` is told. */
export interface BootstrapEnv {
  /** A superuser, or a login with CREATEROLE and CREATEDB. */
  adminUrl: string;
  database: string;
  /** The URLs that are set already, by what their logins are for. */
  urls: Partial<Record<keyof typeof URL_VARIABLES, string>>;
  /** What the serving logins' timeouts are to be: the application's own variables, or its defaults. */
  timeouts: Pick<Env, (typeof TIMEOUTS)[number]>;
  /** In production, unless POSTGRES_ALLOW_PLAINTEXT is true. */
  refusesPlainText: boolean;
}

const TIMEOUTS = [
  'POSTGRES_STATEMENT_TIMEOUT_MS',
  'POSTGRES_LOCK_TIMEOUT_MS',
  'POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS',
] as const;

/** The variable that holds each login's URL. */
export const URL_VARIABLES = {
  app: 'POSTGRES_URL',
  platform: 'POSTGRES_PLATFORM_URL',
  owner: 'POSTGRES_OWNER_URL',
  monitor: 'POSTGRES_MONITOR_URL',
  backup: 'POSTGRES_BACKUP_URL',
} as const;

const DEFAULT_DATABASE = 'tenantry';
/** Names that stand in a URL as they are. 63: PostgreSQL's NAMEDATALEN less one. */
const DATABASE_NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,62}$/;

/** @throws StartupError naming each wrong variable, never its value */
export function readBootstrapEnv(source: NodeJS.ProcessEnv = process.env): BootstrapEnv {
  const { values, problems } = resolveSecrets(source);
  const adminUrl = values.POSTGRES_ADMIN_URL ?? '';
  const database = values.POSTGRES_DATABASE ?? DEFAULT_DATABASE;
  if (adminUrl === '') {
    if (problems.length === 0)
      problems.push(
        'POSTGRES_ADMIN_URL must be set, for example postgresql://postgres:password@localhost:5432/postgres',
      );
  } else if (!isPostgresUrl(adminUrl)) problems.push('POSTGRES_ADMIN_URL must be a URL that begins with postgresql://');
  if (!DATABASE_NAME.test(database)) problems.push('POSTGRES_DATABASE must be of letters, digits, _ and -, 63 at most');
  const urls: BootstrapEnv['urls'] = {};
  for (const [purpose, variable] of Object.entries(URL_VARIABLES)) {
    const url = values[variable];
    if (!url) continue;
    if (!isPostgresUrl(url)) problems.push(`${variable} must be a URL that begins with postgresql://`);
    urls[purpose as keyof typeof URL_VARIABLES] = url;
  }
  const timeouts = readTimeouts(values, problems);
  if (problems.length > 0) {
    throw new StartupError(`The configuration is wrong:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  }
  const refusesPlainText = values.NODE_ENV === 'production' && values.POSTGRES_ALLOW_PLAINTEXT !== 'true';
  return { adminUrl, database, urls, timeouts, refusesPlainText };
}

function readTimeouts(values: Readonly<Record<string, string>>, problems: string[]): BootstrapEnv['timeouts'] {
  const defaults = new Env();
  const entries = TIMEOUTS.map((name) => {
    const given = values[name] ?? String(defaults[name]);
    if (!/^[1-9]\d{0,8}$/.test(given)) problems.push(`${name} must be a number of milliseconds`);
    return [name, Number(given)];
  });
  return Object.fromEntries(entries) as BootstrapEnv['timeouts'];
}

function isPostgresUrl(text: string): boolean {
  return readPostgresUrl(text) !== undefined;
}
