import { escapeIdentifier, escapeLiteral, type Client } from 'pg';
import { StartupError } from '../common/errors';
import type { LoginDefinition } from './login-definitions';
import { matchesVerifier, scramVerifier } from './scram';

/** Who carries out the bootstrap, and where. */
export interface Administrator {
  client: Client;
  name: string;
  isSuperuser: boolean;
  /** 18 of 18.4 */
  serverMajor: number;
}

/** What was done to one login. */
export interface LoginOutcome {
  created: boolean;
  changed: boolean;
  /** What this administrator may not do and somebody else must. */
  notes: string[];
}

/** Attribute keywords of CREATE ROLE by the columns of pg_roles that show them. */
const ATTRIBUTES = {
  rolcanlogin: 'LOGIN',
  rolsuper: 'SUPERUSER',
  rolbypassrls: 'BYPASSRLS',
  rolcreatedb: 'CREATEDB',
  rolcreaterole: 'CREATEROLE',
  rolreplication: 'REPLICATION',
  rolinherit: 'INHERIT',
} as const;
type Attributes = Record<keyof typeof ATTRIBUTES, boolean>;

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * Creates a login, or puts right what is wrong with it: attributes, memberships, password. Without a password given
 * an existing login keeps its own.
 * @throws StartupError when the administrator may not, and Tenantry would be unsafe or unable without
 */
export async function ensureLogin(
  admin: Administrator,
  login: LoginDefinition & { mayCreateDatabases: boolean },
  password: string | undefined,
): Promise<LoginOutcome> {
  const notes: string[] = [];
  const wanted: Attributes = {
    rolcanlogin: true,
    rolsuper: false,
    rolbypassrls: false,
    rolcreatedb: login.mayCreateDatabases,
    rolcreaterole: false,
    rolreplication: login.replication,
    rolinherit: login.inherit,
  };
  const created = !(await readAttributes(admin.client, login.name));
  if (created) {
    const verifier = escapeLiteral(scramVerifier(required(password, login)));
    const inherit = login.inherit ? 'INHERIT' : 'NOINHERIT';
    await admin.client.query(`CREATE ROLE ${escapeIdentifier(login.name)} LOGIN ${inherit} PASSWORD ${verifier}`);
  }
  const repaired = await repairAttributes(admin, login, wanted, notes);
  const joined = await repairMemberships(admin, login, notes);
  const newPassword = !created && password !== undefined && (await setPassword(admin, login, password));
  return { created, changed: !created && (repaired || joined || newPassword), notes };
}

function required(password: string | undefined, login: LoginDefinition): string {
  if (password === undefined) throw new Error(`No password for the new login ${login.name}`);
  return password;
}

async function repairAttributes(
  admin: Administrator,
  login: LoginDefinition,
  wanted: Attributes,
  notes: string[],
): Promise<boolean> {
  const actual = await readAttributes(admin.client, login.name);
  const wrong = Object.entries(ATTRIBUTES).filter(([column]) => {
    const key = column as keyof Attributes;
    return actual?.[key] !== wanted[key];
  });
  let changed = false;
  for (const [column, keyword] of wrong) {
    const isWanted = wanted[column as keyof Attributes];
    try {
      // One at a time: to name an attribute that needs a superuser is refused even where it would change nothing.
      await admin.client.query(`ALTER ROLE ${escapeIdentifier(login.name)} ${isWanted ? '' : 'NO'}${keyword}`);
      changed = true;
    } catch (error) {
      if (!isRefused(error)) throw error;
      if (keyword !== 'REPLICATION' || !isWanted)
        throw notAllowed(admin, login, `${isWanted ? 'give' : 'take away'} ${keyword}`, error);
      notes.push(
        `${login.name} has no REPLICATION: ${admin.name} may not give it. Base backups need it; ` +
          'a managed server has its own way (on Amazon RDS: GRANT rds_replication), or backs up by itself.',
      );
    }
  }
  return changed;
}

async function repairMemberships(admin: Administrator, login: LoginDefinition, notes: string[]): Promise<boolean> {
  const { rows } = await admin.client.query<{ role: string; grantor: string }>(
    `SELECT m.roleid::regrole::text AS role, m.grantor::regrole::text AS grantor FROM pg_auth_members m
     WHERE m.member = (SELECT oid FROM pg_roles WHERE rolname = $1)`,
    [login.name],
  );
  let changed = false;
  const name = escapeIdentifier(login.name);
  for (const { role, grantor } of login.servesRequests ? rows : []) {
    if (login.memberOf.includes(role)) continue;
    try {
      await admin.client.query(`REVOKE ${role} FROM ${name} GRANTED BY ${grantor}`); // regrole quotes by itself
      changed = true;
    } catch (error) {
      throw isRefused(error) ? notAllowed(admin, login, `revoke ${role}`, error) : error;
    }
  }
  for (const role of login.memberOf.filter((wanted) => !rows.some((row) => row.role === wanted))) {
    try {
      await admin.client.query(`GRANT ${escapeIdentifier(role)} TO ${name}`);
      changed = true;
    } catch (error) {
      if (!isRefused(error)) throw error;
      notes.push(
        `${login.name} is not a member of ${role}: ${admin.name} may not grant it. Statistics will be incomplete.`,
      );
    }
  }
  return changed;
}

/** @returns whether it was another password before, as far as the administrator can see */
export async function setPassword(
  admin: Administrator,
  login: Pick<LoginDefinition, 'name'>,
  password: string,
): Promise<boolean> {
  if (admin.isSuperuser) {
    const { rows } = await admin.client.query<{ rolpassword: string | null }>(
      'SELECT rolpassword FROM pg_authid WHERE rolname = $1',
      [login.name],
    );
    if (matchesVerifier(password, rows[0]?.rolpassword ?? '')) return false;
  }
  try {
    await admin.client.query(
      `ALTER ROLE ${escapeIdentifier(login.name)} PASSWORD ${escapeLiteral(scramVerifier(password))}`,
    );
  } catch (error) {
    throw isRefused(error) ? notAllowed(admin, login, 'set the password', error) : error;
  }
  return true;
}

async function readAttributes(client: Client, name: string): Promise<Attributes | undefined> {
  const columns = Object.keys(ATTRIBUTES).join(', ');
  const { rows } = await client.query<Attributes>(`SELECT ${columns} FROM pg_roles WHERE rolname = $1`, [name]);
  return rows[0];
}

export function isRefused(error: unknown): boolean {
  return (error as { code?: string }).code === INSUFFICIENT_PRIVILEGE;
}

function notAllowed(
  admin: Administrator,
  login: Pick<LoginDefinition, 'name'>,
  what: string,
  cause: unknown,
): StartupError {
  return new StartupError(
    `The login ${login.name} is not as Tenantry needs it, and ${admin.name} may not ${what}: ${(cause as Error).message}.\n` +
      'Run this as a superuser, or as the administrator who created the login.',
    { cause },
  );
}
