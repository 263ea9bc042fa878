import { Logger } from '@nestjs/common';
import pg from 'pg';
import { PLATFORM_TENANT_ID } from '../common/id';
import { LOGINS } from './login-definitions';
import { GLOBAL_TABLES } from './login-check';
import { pendingMigrations } from './migrations';

export type Check =
  'indexes' | 'tables' | 'checksums' | 'references' | 'protection' | 'logins' | 'owners' | 'migrations';

/** Whether what was stored is what is there. */
export const DATA_CHECKS: readonly Check[] = ['indexes', 'tables', 'checksums', 'references'];
/** Whether it may serve; after the migrations, which may have written rows. */
export const SERVING_CHECKS: readonly Check[] = ['references', 'protection', 'logins', 'owners', 'migrations'];

/** Something in a restored cluster that is not as it must be before it serves. */
export interface Finding {
  check: Check;
  database: string;
  /** In words, naming the thing. */
  problem: string;
}

/** Where a cluster holds a Tenantry. */
const HAS_TENANTRY = `SELECT to_regclass('app.tenants') IS NOT NULL AND to_regclass('public._prisma_migrations') IS NOT NULL AS has`;

/**
 * Looks at a recovered cluster, as its superuser, before anybody else may: indexes and tables against amcheck, the checksums of all
 * other pages, every foreign key, row-level security, the serving logins, that each tenant has an owner, the migrations. It changes
 * nothing. A provider's administrator is no superuser: what is hidden from it is warned of, and is no finding.
 * @param urlOf of a database, as superuser
 * @returns empty: all is well, as far as the login can see
 */
export async function verifyCluster(
  urlOf: (database: string) => string,
  checks: readonly Check[] = [...new Set([...DATA_CHECKS, ...SERVING_CHECKS])],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  const databases = await tenantryDatabases(urlOf);
  for (const database of databases) {
    await asked(urlOf(database), async (client) => {
      const login = await readLogin(client);
      for (const check of checks) {
        try {
          const problems = await lookAt(check, client, login);
          findings.push(...problems.map((problem) => ({ check, database, problem })));
        } catch (error) {
          if (!(error instanceof HiddenError)) throw error;
          logger.warn(`Not looked at in ${database}: ${check}. ${error.message}`);
        }
      }
    });
  }
  if (databases.length === 0)
    findings.push({ check: 'migrations', database: '', problem: 'no database holds a Tenantry' });
  return findings;
}

/** The names of the databases of a cluster that hold a Tenantry. */
export async function tenantryDatabases(urlOf: (database: string) => string): Promise<string[]> {
  const { rows } = await asked<{ datname: string }>(urlOf('postgres'), (client) =>
    client.query(
      `SELECT datname FROM pg_database
       WHERE datallowconn AND NOT datistemplate AND has_database_privilege(oid, 'CONNECT') ORDER BY datname`,
    ),
  );
  const holding: string[] = [];
  for (const { datname } of rows) {
    const { rows: found } = await asked<{ has: boolean }>(urlOf(datname), (client) => client.query(HAS_TENANTRY));
    if (found[0]?.has) holding.push(datname);
  }
  return holding;
}

type Look = (client: pg.Client) => Promise<string[]>;

interface Login {
  name: string;
  isSuperuser: boolean;
  seesAllRows: boolean;
}

/** The login may not look at this. */
class HiddenError extends Error {}

const logger = new Logger('Backups');
const INSUFFICIENT_PRIVILEGE = '42501';
/** Under forced row-level security they would see no rows, and so nothing wrong. */
const OF_ROWS: readonly Check[] = ['references', 'owners'];

async function readLogin(client: pg.Client): Promise<Login> {
  const { rows } = await client.query<Login>(
    `SELECT rolname AS name, rolsuper AS "isSuperuser", rolsuper OR rolbypassrls AS "seesAllRows" FROM pg_roles
     WHERE rolname = current_user`,
  );
  return rows[0]!;
}

async function lookAt(check: Check, client: pg.Client, { name, isSuperuser, seesAllRows }: Login): Promise<string[]> {
  if (OF_ROWS.includes(check) && !seesAllRows)
    throw new HiddenError(`Row-level security hides the tenants' rows from ${name}.`);
  try {
    return await CHECKS[check](client);
  } catch (error) {
    const isMissing = error instanceof MissingExtensionError;
    if (isSuperuser && isMissing) return [error.message];
    if (isSuperuser || !(isMissing || isRefused(error))) throw error;
    throw new HiddenError(`${name} may not: ${(error as Error).message}.`);
  }
}

const isRefused = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === INSUFFICIENT_PRIVILEGE;

const CHECKS: Record<Check, Look> = {
  indexes: (client) =>
    damage(
      client,
      'amcheck',
      `SELECT c.oid::regclass::text AS name, format('SELECT bt_index_check(%s, true)', c.oid) AS look
       FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
       WHERE a.amname = 'btree' AND c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisready AND i.indisvalid`,
    ),
  tables: (client) =>
    damage(
      client,
      'amcheck',
      `SELECT c.oid::regclass::text AS name, format('SELECT blkno, msg FROM verify_heapam(%s)', c.oid) AS look
       FROM pg_class c WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence = 'p'`,
    ),
  // Where the cluster has them (PostgreSQL 18's default) each page is checked as it is read: those of tables and B-tree indexes
  // above; here all others.
  checksums: (client) =>
    damage(
      client,
      'pg_prewarm',
      `SELECT format('%s (%s)', c.oid::regclass, fork) AS name, format('SELECT pg_prewarm(%s, ''buffer'', %L)', c.oid, fork) AS look
       FROM pg_class c LEFT JOIN pg_am a ON a.oid = c.relam CROSS JOIN unnest('{main,vm,init}'::text[]) fork
       WHERE c.relkind IN ('r', 'm', 't', 'i', 'S') AND c.relpersistence <> 't' AND current_setting('data_checksums') = 'on'
         AND NOT (fork = 'main' AND (c.relkind IN ('r', 'm', 't') OR a.amname = 'btree')) AND pg_relation_size(c.oid, fork) > 0`,
    ),
  references: orphans,
  protection: (client) =>
    list(
      client,
      `SELECT format('%s is not under forced row-level security', c.oid::regclass) AS problem
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname IN ('app', 'audit') AND c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
         AND n.nspname || '.' || c.relname <> ALL ($1)`,
      [GLOBAL_TABLES],
    ),
  logins: (client) =>
    list(
      client,
      `SELECT format('%s could get round row-level security', wanted) AS problem
       FROM unnest($1::text[]) wanted JOIN pg_roles login ON login.rolname = wanted
       WHERE EXISTS (SELECT FROM pg_roles r WHERE (r.rolsuper OR r.rolbypassrls) AND pg_has_role(login.oid, r.oid, 'MEMBER'))`,
      [[LOGINS.app.name, LOGINS.platform.name]],
    ),
  owners: (client) =>
    list(
      client,
      `SELECT format('the tenant %s (%s) has no owner', t.slug, t.id) AS problem FROM app.tenants t
       WHERE t.id <> $1 AND t.deleted_at IS NULL AND NOT EXISTS (
         SELECT FROM app.membership_roles mr JOIN app.roles r ON r.tenant_id = t.id AND r.id = mr.role_id
         WHERE mr.tenant_id = t.id AND r.system_key = 'owner' AND mr.expires_at IS NULL)`,
      [PLATFORM_TENANT_ID],
    ),
  migrations: async (client) => {
    const state = await pendingMigrations(async (sql) => (await client.query(sql)).rows as unknown[]);
    return Object.entries(state).flatMap(([kind, names]: [string, string[]]) =>
      names.map((name) => `the migration ${name} is ${kind}`),
    );
  },
};

class MissingExtensionError extends Error {}

/** Runs one look for each thing; what it throws, or gives back a message about, is damage. */
async function damage(client: pg.Client, extension: 'amcheck' | 'pg_prewarm', things: string): Promise<string[]> {
  const problems: string[] = [];
  await client.query('BEGIN');
  try {
    try {
      await client.query(`CREATE EXTENSION IF NOT EXISTS ${extension}`);
    } catch (error) {
      throw new MissingExtensionError(
        `cannot be looked at without ${extension} (on Debian part of postgresql-<version>): ${(error as Error).message}`,
      );
    }
    const { rows } = await client.query<{ name: string; look: string }>(things);
    for (const { name, look } of rows) {
      await client.query('SAVEPOINT look');
      try {
        const found = await client.query<{ blkno?: string; msg?: string }>(look);
        problems.push(...found.rows.flatMap(({ blkno, msg }) => (msg ? [`${name}, block ${blkno}: ${msg}`] : [])));
      } catch (error) {
        if (isRefused(error)) throw error;
        problems.push(`${name}: ${(error as Error).message}`);
        await client.query('ROLLBACK TO look');
      }
    }
  } finally {
    await client.query('ROLLBACK'); // the extension goes again
  }
  return problems;
}

/** Rows that refer to none, by every foreign key: restored as a whole there are none, whatever brought them. */
async function orphans(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string; look: string }>(
    `SELECT format('%s of %s', conname, conrelid::regclass) AS name,
       format('SELECT count(*)::int AS count FROM %s c WHERE %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)', conrelid::regclass,
         (SELECT string_agg(format('c.%I IS NOT NULL', attname), ' AND ') FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)),
         confrelid::regclass,
         (SELECT string_agg(format('p.%I = c.%I', f.attname, a.attname), ' AND ')
          FROM unnest(conkey, confkey) AS pair(child, parent)
          JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = pair.child
          JOIN pg_attribute f ON f.attrelid = confrelid AND f.attnum = pair.parent)) AS look
     FROM pg_constraint WHERE contype = 'f' AND conparentid = 0`,
  );
  const problems: string[] = [];
  for (const { name, look } of rows) {
    const { rows: counted } = await client.query<{ count: number }>(look);
    const count = counted[0]?.count ?? 0;
    if (count > 0) problems.push(`${count} rows refer to nothing by ${name}`);
  }
  return problems;
}

async function list(client: pg.Client, sql: string, parameters: unknown[] = []): Promise<string[]> {
  const { rows } = await client.query<{ problem: string }>(sql, parameters);
  return rows.map(({ problem }) => problem);
}

async function asked<Row>(
  url: string,
  work: (client: pg.Client) => Promise<{ rows: Row[] } | void>,
): Promise<{ rows: Row[] }> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // the query under way fails with it and tells
  await client.connect();
  try {
    return (await work(client)) ?? { rows: [] };
  } finally {
    await client.end();
  }
}
