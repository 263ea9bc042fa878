import { escapeIdentifier, escapeLiteral } from 'pg';
import { Env } from '../config/env';
import { LOGIN_PURPOSES, LOGINS } from './login-definitions';
import { type Administrator, isRefused } from './login-roles';

/** Settings of the server, in milliseconds, and the variable of each. */
export const TIMEOUT_VARIABLES = {
  statement_timeout: 'POSTGRES_STATEMENT_TIMEOUT_MS',
  lock_timeout: 'POSTGRES_LOCK_TIMEOUT_MS',
  idle_in_transaction_session_timeout: 'POSTGRES_IDLE_IN_TRANSACTION_TIMEOUT_MS',
} as const;

export type TimeoutEnv = Pick<Env, (typeof TIMEOUT_VARIABLES)[keyof typeof TIMEOUT_VARIABLES]>;

/**
 * Gives the logins that serve requests their timeouts in this database. A connection of ours asks for them when it begins,
 * but a pooler (PgBouncer) does not pass that on: what stands with the role holds however it is reached.
 * @returns the logins that had others, and notes on what this administrator may not do
 */
export async function ensureTimeouts(
  admin: Administrator,
  database: string,
  env: TimeoutEnv = new Env(),
): Promise<{ changed: string[]; notes: string[] }> {
  const wanted = Object.entries(TIMEOUT_VARIABLES).map(
    ([setting, variable]) => [setting, `${env[variable]}ms`] as const,
  );
  const changed: string[] = [];
  const notes: string[] = [];
  for (const purpose of LOGIN_PURPOSES) {
    const { name, servesRequests } = LOGINS[purpose];
    if (!servesRequests) continue;
    const actual = await readSettings(admin, name, database);
    const wrong = wanted.filter(([setting, value]) => !actual.includes(`${setting}=${value}`));
    const where = `ALTER ROLE ${escapeIdentifier(name)} IN DATABASE ${escapeIdentifier(database)}`;
    try {
      for (const [setting, value] of wrong)
        await admin.client.query(`${where} SET ${setting} = ${escapeLiteral(value)}`);
      if (wrong.length > 0) changed.push(name);
    } catch (error) {
      if (!isRefused(error)) throw error;
      notes.push(
        `${name} has no timeouts of its own: ${admin.name} may not set them. They matter behind a pooler. As a superuser run: ` +
          wrong.map(([setting, value]) => `${where} SET ${setting} = ${escapeLiteral(value)};`).join(' '),
      );
    }
  }
  return { changed, notes };
}

async function readSettings({ client }: Administrator, login: string, database: string): Promise<string[]> {
  const { rows } = await client.query<{ settings: string[] }>(
    `SELECT s.setconfig AS settings FROM pg_db_role_setting s
     WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = $1) AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = $2)`,
    [login, database],
  );
  return rows[0]?.settings ?? [];
}
