import type { BootstrappedAdministrator } from './auth/bootstrap-administrator';
import type { Env } from './config/env';
import type { OpenDatabase } from './database/open-database';

/** What a person sees when Tenantry is up: where to go, where the data is, how to sign in. */
export function welcome(
  url: string,
  env: Env,
  database: Pick<OpenDatabase, 'dataDir'>,
  administrator: BootstrappedAdministrator | undefined,
): string {
  const lines = [
    'Tenantry is up.',
    `  API    ${url}/v1`,
    ...(env.docsEnabled ? [`  Docs   ${url}/docs`] : []),
    `  Data   ${database.dataDir ? `${database.dataDir} (embedded PostgreSQL)` : 'the server of POSTGRES_URL'}`,
    ...signIn(url, administrator),
  ];
  return `\n${lines.join('\n')}\n\n`;
}

function signIn(url: string, administrator: BootstrappedAdministrator | undefined): string[] {
  if (!administrator) return [];
  const { email, password } = administrator;
  return [
    `  Admin  ${email}${password ? `   password ${password}   (shown this once)` : ''}`,
    '',
    'Sign in:',
    `  curl -s ${url}/v1/auth/login -H 'content-type: application/json' \\`,
    `    -d '{"email":"${email}","password":"${password ?? '…'}"}'`,
  ];
}
