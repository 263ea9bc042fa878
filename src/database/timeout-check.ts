import { TIMEOUT_VARIABLES, type TimeoutEnv } from './login-timeouts';
import type { TenantryClient } from './prisma-client';

/**
 * The timeouts that hold on a login's connections and are not the configured ones. Each connection asks for them when it
 * begins; a pooler (PgBouncer) does not pass that on, and what stands with the login holds, or nothing.
 * @returns each in words, with the variable that says otherwise
 */
export async function wrongTimeouts(client: TenantryClient, env: TimeoutEnv): Promise<string[]> {
  const names = Object.keys(TIMEOUT_VARIABLES);
  const settings = await client.$queryRaw<{ name: string; milliseconds: number }[]>`
    SELECT name, setting::int AS milliseconds FROM pg_settings WHERE name = ANY (${names})`;
  const actual = new Map(settings.map(({ name, milliseconds }) => [name, milliseconds]));
  return Object.entries(TIMEOUT_VARIABLES)
    .filter(([setting, variable]) => actual.get(setting) !== env[variable])
    .map(([setting, variable]) => `${setting} is ${actual.get(setting) || 'off'} (${variable}: ${env[variable]})`);
}
