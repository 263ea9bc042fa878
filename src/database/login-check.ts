import { Logger } from '@nestjs/common';
import { StartupError } from '../common/errors';
import type { Env } from '../config/env';
import { createPool } from './pool';
import type { DatabaseUrls } from './pools';
import { createPrismaClient, type TenantryClient } from './prisma-client';
import { connectTo } from './server-connection';
import { wrongTimeouts } from './timeout-check';

const logger = new Logger('Database');

/** Tables beside the tenants' own that the app login may read whole. */
export const GLOBAL_TABLES = ['app.permissions'];

interface LoginFacts {
  login: string;
  superuser: boolean;
  bypasses: boolean;
  owns: string | null;
  unprotected: string | null;
}

/**
 * Refuses a login that could get round row-level security, and a database whose tenant tables are not all under it:
 * what isolates the tenants must not depend on what somebody once configured.
 * @throws StartupError naming the reason and the cure
 */
async function assertRestrictedLogin(client: TenantryClient, variable: string): Promise<void> {
  const [facts] = await client.$queryRaw<LoginFacts[]>`
    WITH tenant_tables AS (
      SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relowner, c.relrowsecurity AND c.relforcerowsecurity AS protected
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname IN ('app', 'audit') AND c.relkind IN ('r', 'p') AND n.nspname || '.' || c.relname <> ALL (${GLOBAL_TABLES})
    )
    SELECT current_user::text AS login,
      EXISTS (SELECT FROM pg_roles WHERE rolsuper AND pg_has_role(current_user, oid, 'MEMBER')) AS superuser,
      EXISTS (SELECT FROM pg_roles WHERE rolbypassrls AND pg_has_role(current_user, oid, 'MEMBER')) AS bypasses,
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tenant_tables WHERE pg_has_role(current_user, relowner, 'MEMBER')) AS owns,
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tenant_tables WHERE NOT protected) AS unprotected`;
  if (!facts) throw new StartupError('PostgreSQL told nothing about the login.');
  const refuse = (reason: string, cure: string): never => {
    throw new StartupError(`Tenantry will not serve: the login "${facts.login}" of ${variable} ${reason}.\n${cure}`);
  };
  const useOwnLogin = 'Row-level security would not hold under it. Use the logins that `npm run db:bootstrap` makes.';
  if (facts.superuser) refuse('is a superuser', useOwnLogin);
  if (facts.bypasses) refuse('has BYPASSRLS', useOwnLogin);
  if (facts.owns) refuse(`owns ${facts.owns}`, useOwnLogin);
  if (facts.unprotected) {
    refuse(
      `would see tables without forced row-level security: ${facts.unprotected}`,
      'Call app.protect_tenant_table() for them in a migration.',
    );
  }
}

/**
 * Checks both serving logins before anything is served, and warns when other timeouts hold for them than the configured ones.
 * @throws StartupError when one could get round row-level security, or cannot connect
 */
export async function assertRestrictedLogins(urls: DatabaseUrls, env: Env): Promise<void> {
  const variables = { app: 'POSTGRES_URL', platform: 'POSTGRES_PLATFORM_URL' } as const;
  for (const name of ['app', 'platform'] as const) {
    const pool = createPool(name, urls[name], env);
    const client = createPrismaClient(pool, env);
    try {
      await assertRestrictedLogin(client, variables[name]);
      const wrong = await wrongTimeouts(client, env);
      if (wrong.length > 0) logger.warn(adviceOn(variables[name], wrong));
    } catch (error) {
      if (error instanceof StartupError) throw error;
      const reason = await whyNot(urls[name], variables[name], env);
      throw new StartupError(`${variables[name]} does not work: ${reason ?? reasonOf(error)}`, { cause: error });
    } finally {
      await client.$disconnect();
      await pool.end();
    }
  }
}

function adviceOn(variable: string, wrong: string[]): string {
  return (
    `On connections of ${variable} ${wrong.join(', ')}: a pooler does not pass on what they ask for. ` +
    '`npm run db:bootstrap` with the same variables sets it for the login.'
  );
}

/** What keeps a login out, in the words of server-connection.ts; undefined when it gets in now. */
async function whyNot(url: string, variable: string, env: Env): Promise<string | undefined> {
  try {
    const client = await connectTo(url, env.POSTGRES_CONNECT_TIMEOUT_MS, variable);
    await client.end();
    return undefined;
  } catch (error) {
    return error instanceof StartupError ? error.message : undefined;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.trim().split('\n').at(-1)! : String(error);
}
