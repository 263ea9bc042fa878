import { StartupError } from '../common/errors';

/** What `npm run db:bootstrap` is told. */
export interface BootstrapEnv {
  /** A superuser, or a login with CREATEROLE and CREATEDB. */
  adminUrl: string;
  database: string;
  /** The URLs that are set already, by what their logins are for. */
  urls: Partial<Record<keyof typeof URL_VARIABLES, string>>;
}

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
  const problems: string[] = [];
  const adminUrl = source.POSTGRES_ADMIN_URL ?? '';
  const database = source.POSTGRES_DATABASE || DEFAULT_DATABASE;
  if (adminUrl === '') {
    problems.push('POSTGRES_ADMIN_URL must be set, for example postgresql://postgres:password@localhost:5432/postgres');
  } else if (!isPostgresUrl(adminUrl)) problems.push('POSTGRES_ADMIN_URL must be a URL that begins with postgresql://');
  if (!DATABASE_NAME.test(database)) problems.push('POSTGRES_DATABASE must be of letters, digits, _ and -, 63 at most');
  const urls: BootstrapEnv['urls'] = {};
  for (const [purpose, variable] of Object.entries(URL_VARIABLES)) {
    const url = source[variable];
    if (!url) continue;
    if (!isPostgresUrl(url)) problems.push(`${variable} must be a URL that begins with postgresql://`);
    urls[purpose as keyof typeof URL_VARIABLES] = url;
  }
  if (problems.length > 0) {
    throw new StartupError(`The configuration is wrong:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  }
  return { adminUrl, database, urls };
}

function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text);
}
