import { randomBytes } from 'node:crypto';
import { connectAsAdministrator } from './administrator';
import { grantAccess, withOwnersRights } from './application-database';
import { grantBackupRights } from './backup-rights';
import { LOGIN_PURPOSES, type LoginPurpose, LOGINS } from './login-definitions';
import { ensureLogin, setPassword } from './login-roles';
import { connectTo, urlFor } from './server-connection';

/**
 * Brings the logins of a recovered cluster to today: each has the password that is in use now, and one that did not exist then is
 * made, since later migrations name it. Nothing else about them is changed: whether they are limited is looked at afterwards.
 * @param urlOf of a database, as superuser
 * @param passwords in use now; a login without one keeps that of then
 * @returns the names of the logins that were made or got another password
 */
export async function renewLogins(
  urlOf: (database: string) => string,
  databases: readonly string[],
  passwords: Partial<Record<LoginPurpose, string>>,
  superuserPassword?: string,
): Promise<string[]> {
  const admin = await connectAsAdministrator(urlOf('postgres'));
  try {
    const { rows } = await admin.client.query<{ name: string }>('SELECT rolname AS name FROM pg_roles');
    const known = new Set(rows.map(({ name }) => name));
    const made: string[] = [];
    const changed: string[] = [];
    for (const purpose of LOGIN_PURPOSES) {
      const login = LOGINS[purpose];
      const password = passwords[purpose];
      if (!known.has(login.name)) {
        const first = password ?? randomBytes(24).toString('base64url'); // db:bootstrap --rotate gives one that is told
        await ensureLogin(admin, { ...login, mayCreateDatabases: false }, first);
        made.push(login.name);
      } else if (password !== undefined && (await setPassword(admin, login, password))) changed.push(login.name);
    }
    if (superuserPassword !== undefined && (await setPassword(admin, admin, superuserPassword)))
      changed.push(admin.name);
    if (made.length > 0)
      await withOwnersRights(admin, async () => {
        for (const database of databases) {
          const client = await connectTo(urlFor(urlOf(database), database));
          try {
            await grantAccess(client, admin, database);
            await grantBackupRights(client);
          } finally {
            await client.end();
          }
        }
      });
    return [...made, ...changed];
  } finally {
    await admin.client.end();
  }
}
