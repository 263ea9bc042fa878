import type { Client } from 'pg';
import { StartupError } from '../common/errors';
import type { Administrator } from './login-roles';
import { connectTo, urlFor } from './server-connection';

const OLDEST_MAJOR = 14;
/** Advisory locks belong to one database: this one exists nearly everywhere, so that all bootstraps of a server meet. */
const MAINTENANCE_DATABASE = 'postgres';

/**
 * Connects as an administrator who may create logins and databases, to the database `postgres` where possible.
 * @throws StartupError saying what is wrong: unreachable, refused, too old, too few rights. It names no password
 */
export async function connectAsAdministrator(adminUrl: string): Promise<Administrator> {
  const client = await connectToMaintenance(adminUrl);
  try {
    const { rows } = await client.query<{ version: number; name: string; superuser: boolean; able: boolean }>(
      `SELECT current_setting('server_version_num')::int AS version, current_user::text AS name, rolsuper AS superuser,
              rolsuper OR (rolcreaterole AND rolcreatedb) AS able
       FROM pg_roles WHERE rolname = current_user`,
    );
    const [facts] = rows;
    if (!facts) throw new StartupError('PostgreSQL told nothing about the administrator.');
    const serverMajor = Math.floor(facts.version / 10_000);
    if (serverMajor < OLDEST_MAJOR) {
      throw new StartupError(`The server is PostgreSQL ${serverMajor}; Tenantry needs ${OLDEST_MAJOR} or newer.`);
    }
    if (!facts.able) {
      throw new StartupError(
        `The login ${facts.name} may not create logins and databases.\n` +
          `Use an administrator: a superuser, or a login with these rights (ALTER ROLE ${facts.name} CREATEROLE CREATEDB).`,
      );
    }
    return { client, name: facts.name, isSuperuser: facts.superuser, serverMajor };
  } catch (error) {
    await client.end();
    throw error;
  }
}

async function connectToMaintenance(adminUrl: string): Promise<Client> {
  try {
    return await connectTo(urlFor(adminUrl, MAINTENANCE_DATABASE));
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string };
    if (code !== '3D000' && code !== '42501') throw error;
    return connectTo(adminUrl);
  }
}
