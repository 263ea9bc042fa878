import { randomBytes } from 'node:crypto';
import type { Client } from 'pg';
import { StartupError } from '../common/errors';
import { connectAsAdministrator } from './administrator';
import { ensureDatabase, grantAccess, withOwnersRights } from './application-database';
import { grantBackupRights } from './backup-rights';
import { LOGIN_PURPOSES, type LoginPurpose, LOGINS, type LoginUrls } from './login-definitions';
import { type Administrator, ensureLogin, isRefused } from './login-roles';
import { ensureTimeouts, type TimeoutEnv } from './login-timeouts';
import { connectTo, urlFor } from './server-connection';
import { ensureStatementStatistics } from './statement-statistics';

export interface BootstrapOptions {
  /** The database to create or to put right. */
  database: string;
  /** Passwords to set, in printable ASCII. A login without one keeps its own, or gets a generated one when it is new. */
  passwords?: Partial<Record<LoginPurpose, string>>;
  /** Gives each login a new password. */
  rotate?: boolean;
  /** For development: `prisma migrate dev` makes itself a second database. */
  ownerMayCreateDatabases?: boolean;
  /** Of the logins that serve requests; the application's defaults when not given. */
  timeouts?: TimeoutEnv;
}

export interface BootstrapResult {
  databaseCreated: boolean;
  /** Names of logins. */
  created: string[];
  changed: string[];
  /** What this administrator may not do, in words for the operator. */
  notes: string[];
  /** For those logins whose passwords are known: given, generated or rotated here. */
  urls: Partial<LoginUrls>;
}

/** The key of the advisory lock that one bootstrap holds. Arbitrary, never to change. */
const LOCK_KEY = 7_301_180_401;
const PASSWORD_BYTES = 24;

/**
 * Creates the logins, the database and who may enter it, on any PostgreSQL from 14 to 18; run again, it puts right what
 * is wrong and leaves the rest. Logins belong to the whole server, so only one bootstrap runs on it at a time.
 * @throws StartupError when the server cannot be reached, is too old, or the administrator may not
 */
export async function bootstrapDatabase(adminUrl: string, options: BootstrapOptions): Promise<BootstrapResult> {
  const admin = await connectAsAdministrator(adminUrl);
  try {
    await admin.client.query('SELECT pg_advisory_lock($1)', [LOCK_KEY]);
    const result = await ensureLogins(admin, adminUrl, options);
    await withOwnersRights(admin, async () => {
      result.databaseCreated = await ensureDatabase(admin, options.database);
      const client = await connectTo(urlFor(adminUrl, options.database));
      await endAfter(client, async () => {
        result.notes.push(...(await grantAccess(client, admin, options.database)));
        result.notes.push(...(await grantBackupRights(client)));
        result.notes.push(...(await ensureStatementStatistics(client, admin, options.database)));
      });
    });
    const { changed, notes } = await ensureTimeouts(admin, options.database, options.timeouts);
    const known = new Set([...result.created, ...result.changed]);
    // A new login, or a new database, has nothing to put right.
    if (!result.databaseCreated) result.changed.push(...changed.filter((name) => !known.has(name)));
    result.notes.push(...notes);
    return result;
  } catch (error) {
    if (error instanceof StartupError || !isRefused(error)) throw error;
    throw new StartupError(`The administrator ${admin.name} may not do what is needed: ${(error as Error).message}.`, {
      cause: error,
    });
  } finally {
    await admin.client.end();
  }
}

async function ensureLogins(
  admin: Administrator,
  adminUrl: string,
  options: BootstrapOptions,
): Promise<BootstrapResult> {
  const result: BootstrapResult = { databaseCreated: false, created: [], changed: [], notes: [], urls: {} };
  const existing = await existingLogins(admin.client);
  for (const purpose of LOGIN_PURPOSES) {
    const login = LOGINS[purpose];
    const generate = options.rotate === true || !existing.has(login.name);
    const password =
      options.passwords?.[purpose] ?? (generate ? randomBytes(PASSWORD_BYTES).toString('base64url') : undefined);
    const mayCreateDatabases = purpose === 'owner' && options.ownerMayCreateDatabases === true;
    const outcome = await ensureLogin(admin, { ...login, mayCreateDatabases }, password);
    if (outcome.created) result.created.push(login.name);
    if (outcome.changed) result.changed.push(login.name);
    result.notes.push(...outcome.notes);
    if (password !== undefined)
      result.urls[purpose] = urlFor(adminUrl, options.database, { name: login.name, password });
  }
  return result;
}

async function existingLogins(client: Client): Promise<Set<string>> {
  const names = LOGIN_PURPOSES.map((purpose) => LOGINS[purpose].name);
  const { rows } = await client.query<{ rolname: string }>('SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)', [
    names,
  ]);
  return new Set(rows.map((row) => row.rolname));
}

async function endAfter<T>(client: Client, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } finally {
    await client.end();
  }
}
