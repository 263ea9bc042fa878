import { type Client, escapeIdentifier } from 'pg';
import { StartupError } from '../common/errors';
import { LOGIN_PURPOSES, LOGINS } from './login-definitions';
import { type Administrator, isRefused } from './login-roles';

const OWNER = escapeIdentifier(LOGINS.owner.name);
const OTHER_LOGINS = LOGIN_PURPOSES.filter((purpose) => purpose !== 'owner')
  .map((purpose) => escapeIdentifier(LOGINS[purpose].name))
  .join(', ');
/** From PostgreSQL 15 on, `public` belongs to whoever owns the database. */
const PUBLIC_OWNERS: string[] = [LOGINS.owner.name, 'pg_database_owner'];

/**
 * Creates the database as the owner login's, or puts its owner right.
 * @returns whether it was created
 * @throws StartupError when an existing one has another encoding, or when the administrator may not
 */
export async function ensureDatabase(admin: Administrator, database: string): Promise<boolean> {
  const { rows } = await admin.client.query<{ encoding: string; owner: string }>(
    `SELECT pg_encoding_to_char(encoding) AS encoding, pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1`,
    [database],
  );
  const [found] = rows;
  const name = escapeIdentifier(database);
  if (!found) {
    // The locale C sorts the same on every version and system, so no upgrade of either breaks an index.
    const provider = admin.serverMajor >= 15 ? 'LOCALE_PROVIDER libc' : '';
    await admin.client.query(
      `CREATE DATABASE ${name} OWNER ${OWNER} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' ${provider}`,
    );
    return true;
  }
  if (found.encoding !== 'UTF8')
    throw new StartupError(`The database ${database} has the encoding ${found.encoding}; Tenantry needs UTF8.`);
  if (found.owner !== LOGINS.owner.name) {
    try {
      await admin.client.query(`ALTER DATABASE ${name} OWNER TO ${OWNER}`);
    } catch (error) {
      if (!isRefused(error)) throw error;
      throw new StartupError(
        `The database ${database} belongs to ${found.owner}, and ${admin.name} may not give it to ${LOGINS.owner.name}.\n` +
          'Choose another name with POSTGRES_DATABASE, or run this as a superuser.',
        { cause: error },
      );
    }
  }
  return false;
}

/**
 * Lets the logins into the database and nobody else, and only the owner create in it.
 * @param client connected to that database
 * @returns notes on what this administrator may not do
 */
export async function grantAccess(client: Client, admin: Administrator, database: string): Promise<string[]> {
  const name = escapeIdentifier(database);
  await asOwner(client, [
    `REVOKE ALL ON DATABASE ${name} FROM PUBLIC, ${OTHER_LOGINS}`,
    `GRANT CONNECT ON DATABASE ${name} TO ${OTHER_LOGINS}`,
  ]);
  const { rows } = await client.query<{ owner: string }>(
    `SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public'`,
  );
  const [schema] = rows;
  if (!schema) return [];
  try {
    if (!PUBLIC_OWNERS.includes(schema.owner)) await client.query(`ALTER SCHEMA public OWNER TO ${OWNER}`);
    await asOwner(client, [`REVOKE CREATE ON SCHEMA public FROM PUBLIC, ${OTHER_LOGINS}`]);
    return [];
  } catch (error) {
    if (!isRefused(error)) throw error;
    return [
      `The schema public of ${database} belongs to ${schema.owner}, and ${admin.name} may not change it: any login may create ` +
        `tables in it. As ${schema.owner} or a superuser run, in this database: ` +
        `ALTER SCHEMA public OWNER TO ${LOGINS.owner.name}; REVOKE CREATE ON SCHEMA public FROM PUBLIC;`,
    ];
  }
}

/** Runs statements as the owner login, in one transaction, so that they mean the same whoever the administrator is. */
async function asOwner(client: Client, statements: string[]): Promise<void> {
  await client.query('BEGIN');
  try {
    for (const statement of [`SET LOCAL ROLE ${OWNER}`, ...statements]) await client.query(statement);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}

/**
 * Does something with the rights of the owner login: creating a database for it, or granting on one, needs them. An
 * administrator without them gets them for that time.
 */
export async function withOwnersRights<T>(admin: Administrator, action: () => Promise<T>): Promise<T> {
  const right = admin.serverMajor >= 16 ? 'SET' : 'MEMBER';
  const { rows } = await admin.client.query<{ has: boolean }>(
    `SELECT pg_has_role(current_user, $1, $2) AND pg_has_role(current_user, $1, 'USAGE') AS has`,
    [LOGINS.owner.name, right],
  );
  if (rows[0]?.has) return action();
  const self = escapeIdentifier(admin.name);
  await admin.client.query(`GRANT ${OWNER} TO ${self} ${admin.serverMajor >= 16 ? 'WITH INHERIT TRUE, SET TRUE' : ''}`);
  try {
    return await action();
  } finally {
    await admin.client.query(`REVOKE ${OWNER} FROM ${self}`);
  }
}
