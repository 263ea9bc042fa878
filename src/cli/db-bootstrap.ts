import { parseArgs } from 'node:util';
import { StartupError } from '../common/errors';
import { readPostgresUrl } from '../common/postgres-url';
import { type BootstrapEnv, readBootstrapEnv, URL_VARIABLES } from '../config/bootstrap-env';
import { loadDotEnv } from '../config/dot-env';
import { parseConnectionString, refusePlainText } from '../database/connection-string';
import { LOGIN_PURPOSES, type LoginPurpose, LOGINS, type LoginUrls } from '../database/login-definitions';
import { bootstrapDatabase, type BootstrapResult } from '../database/logins';

const USAGE = `npm run db:bootstrap [-- --rotate] [--dev]

Creates Tenantry's logins and database on a PostgreSQL server (14 to 18) and prints the variables to set, ready for .env.
It can be run again: it puts right what is wrong and leaves the rest.

  --rotate   gives every login a new password
  --dev      lets the owner create databases, which \`npx prisma migrate dev\` needs

POSTGRES_ADMIN_URL   an administrator: a superuser, or a login with CREATEROLE and CREATEDB
POSTGRES_DATABASE    the database's name; tenantry when unset
POSTGRES_URL, POSTGRES_PLATFORM_URL, POSTGRES_OWNER_URL, POSTGRES_MONITOR_URL, POSTGRES_BACKUP_URL
                     where set, the logins get the passwords in them`;

async function main(): Promise<void> {
  const options = readOptions();
  if (options.help) return console.log(USAGE);
  loadDotEnv();
  const env = readBootstrapEnv();
  if (env.refusesPlainText) refusePlainText(parseConnectionString(env.adminUrl, 'POSTGRES_ADMIN_URL'));
  const given = options.rotate ? {} : env.urls;
  const result = await bootstrapDatabase(env.adminUrl, {
    database: env.database,
    passwords: passwordsIn(given, env.database),
    rotate: options.rotate,
    ownerMayCreateDatabases: options.dev,
    timeouts: env.timeouts,
  });
  console.log(describe(result, env, { ...result.urls, ...given }));
}

function readOptions(): { rotate: boolean; dev: boolean; help: boolean } {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ options: { rotate: flag, dev: flag, help: flag } }).values;
  } catch (error) {
    throw new StartupError(`${(error as Error).message}\n\n${USAGE}`, { cause: error });
  }
}

/** @throws StartupError when a URL is of another login or database than the one to create */
function passwordsIn(urls: BootstrapEnv['urls'], database: string): Partial<Record<LoginPurpose, string>> {
  const passwords: Partial<Record<LoginPurpose, string>> = {};
  for (const purpose of LOGIN_PURPOSES) {
    const url = urls[purpose];
    if (!url) continue;
    const parts = readPostgresUrl(url);
    const { name } = LOGINS[purpose];
    if (parts?.user !== name || parts.database !== database) {
      throw new StartupError(
        `${URL_VARIABLES[purpose]} must be of the login ${name} and the database ${database}, or be left unset here.`,
      );
    }
    if (parts.password) passwords[purpose] = parts.password;
  }
  return passwords;
}

/** All of it can be pasted into .env: what is not a variable is a comment. */
function describe(result: BootstrapResult, env: BootstrapEnv, urls: Partial<LoginUrls>): string {
  const variables = LOGIN_PURPOSES.map((purpose) => {
    const url = urls[purpose];
    const variable = URL_VARIABLES[purpose];
    return url
      ? `${variable}=${quote(url)}`
      : `# ${variable}: ${LOGINS[purpose].name} keeps its password (--rotate gives new ones).`;
  });
  return [
    `# The database ${env.database} ${result.databaseCreated ? 'was created' : 'exists'}.`,
    `# Logins created: ${list(result.created)}. Put right: ${list(result.changed)}.`,
    ...result.notes.map((note) => `# NOTE: ${note}`),
    ...variables,
    '# Next: set these variables, then run: npx prisma migrate deploy',
  ].join('\n');
}

const list = (names: string[]): string => names.join(', ') || 'none';

/** For a shell that reads the file, too. */
const quote = (value: string): string => (/[&;#$\s]/.test(value) ? `"${value}"` : value);

main().catch((error: unknown) => {
  console.error(error instanceof StartupError ? error.message : error);
  process.exitCode = 1;
});
