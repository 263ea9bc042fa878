import { GLOBAL_TABLES } from '../../src/database/login-check';
import type { Query } from './catalogue';
import { TENANT_SCHEMAS } from './tenant-tables';

/** Policies beside tenant_isolation: what the platform login sees above tenants. */
const PLATFORM_POLICIES = [
  'app.memberships platform_reads PERMISSIVE {tenantry_platform} SELECT USING true CHECK -',
  'app.tenants platform_reads PERMISSIVE {tenantry_platform} SELECT USING true CHECK -',
  "audit.events platform_events PERMISSIVE {tenantry_platform} ALL USING (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid) CHECK (tenant_id = '00000000-0000-0000-0000-000000000000'::uuid)",
];

/** What an erasure of a person reaches in all tenants: in the owner's functions that the platform login calls. */
const ERASURE_POLICIES = ['app.memberships', 'audit.events'].map(
  (table) =>
    `${table} erasure PERMISSIVE {tenantry_owner} ALL USING (SESSION_USER = 'tenantry_platform'::name) CHECK (SESSION_USER = 'tenantry_platform'::name)`,
);

/** What restores of tenants have put aside is under the tenants' own rule. */
const PUT_ASIDE_POLICIES = [
  "ops.tenant_restore_rows erasure PERMISSIVE {tenantry_owner} ALL USING (SESSION_USER = 'tenantry_platform'::name) CHECK (SESSION_USER = 'tenantry_platform'::name)",
  "ops.tenant_restore_rows backup_checksums PERMISSIVE {tenantry_owner} SELECT USING (SESSION_USER = 'tenantry_backup'::name) CHECK -",
  'ops.tenant_restore_rows tenant_isolation PERMISSIVE {public} ALL USING (tenant_id = app.current_tenant()) CHECK (tenant_id = app.current_tenant())',
];

/** Unique across all tenants, on purpose. */
const GLOBALLY_UNIQUE = ['app.tenants_slug_key'];

/** Functions that run with their owner's rights, on purpose. */
const SECURITY_DEFINERS = [
  'identity.active_session(uuid)',
  'identity.ensure_user(uuid,text,text,text)',
  'ops.absent_accounts(uuid[],text[])',
  'ops.bring_back_account(uuid,text,text)',
  'ops.erase_accounts(uuid[])',
  'ops.erase_tenant(uuid)',
  'ops.is_tenant_erased(uuid)',
  'ops.lock_compared_tables()',
  'ops.table_checksums()',
  'ops.tenant_of_slug(text)',
  'ops.tenant_sizes(integer)',
  'ops.tenants_left_by(uuid[])',
];

/** Search paths that lead to nothing that a caller could have made. */
const FIXED_SEARCH_PATHS = ['search_path=pg_catalog', 'search_path=pg_catalog, pg_temp', 'search_path=""'];

const SCHEMAS = [...TENANT_SCHEMAS, 'identity', 'ops'];

/** `t`: oid, name, own_key (the column that says whose a row is) of every table that must belong to tenants. */
const TENANT_TABLES_SQL = `
  t AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relrowsecurity, c.relforcerowsecurity,
      CASE n.nspname || '.' || c.relname WHEN 'app.tenants' THEN 'id' ELSE 'tenant_id' END AS own_key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname = ANY ($1) AND n.nspname || '.' || c.relname <> ALL ($2)
  ),
  columns AS (SELECT attrelid, attnum, attname, atttypid, attnotnull FROM pg_attribute WHERE NOT attisdropped)`;

interface SchemaRule {
  /** Behaviour, as a test name says it. */
  name: string;
  /** Gives a row `violation` for each thing that breaks the rule. */
  sql: string;
  parameters: unknown[];
}

const tenantTables = [TENANT_SCHEMAS, GLOBAL_TABLES];

/** What must hold for every table, so that it holds for the next one, too. */
export const SCHEMA_RULES: readonly SchemaRule[] = [
  {
    name: 'a tenant table has its tenant, a uuid that is never null, first in its primary key',
    sql: `WITH ${TENANT_TABLES_SQL}
      SELECT t.name AS violation FROM t WHERE NOT EXISTS (
        SELECT FROM pg_index i JOIN columns a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = t.oid AND i.indisprimary AND a.attname = t.own_key AND a.atttypid = 'uuid'::regtype AND a.attnotnull)`,
    parameters: tenantTables,
  },
  {
    name: 'a tenant table is under row-level security, enabled and forced',
    sql: `WITH ${TENANT_TABLES_SQL} SELECT name AS violation FROM t WHERE NOT (relrowsecurity AND relforcerowsecurity)`,
    parameters: tenantTables,
  },
  {
    name: 'a tenant table has exactly the policies tenant_isolation for everybody, size_sampling and backup_checksums for the owner, and those of the platform that are listed',
    sql: `WITH ${TENANT_TABLES_SQL},
      expected AS (
        SELECT format('%s tenant_isolation PERMISSIVE {public} ALL USING (%s = app.current_tenant()) CHECK (%2$s = app.current_tenant())', name, own_key) AS policy
        FROM t
        UNION ALL SELECT name || ' size_sampling PERMISSIVE {tenantry_owner} SELECT USING (SESSION_USER = ''tenantry_monitor''::name) CHECK -' FROM t
        UNION ALL SELECT name || ' backup_checksums PERMISSIVE {tenantry_owner} SELECT USING (SESSION_USER = ''tenantry_backup''::name) CHECK -' FROM t
        UNION ALL SELECT unnest($3::text[])
      ),
      actual AS (
        SELECT format('%s.%s %s %s %s %s USING %s CHECK %s', schemaname, tablename, policyname, permissive, roles, cmd,
          coalesce(qual, '-'), coalesce(with_check, '-')) AS policy FROM pg_policies
      )
      SELECT 'missing: ' || policy AS violation FROM expected WHERE policy NOT IN (SELECT policy FROM actual)
      UNION ALL SELECT 'unexpected: ' || policy FROM actual WHERE policy NOT IN (SELECT policy FROM expected)`,
    parameters: [...tenantTables, [...PLATFORM_POLICIES, ...ERASURE_POLICIES, ...PUT_ASIDE_POLICIES]],
  },
  {
    name: 'what is unique in a tenant table is unique within the tenant',
    sql: `WITH ${TENANT_TABLES_SQL}
      SELECT t.name || ' ' || n.nspname || '.' || ic.relname AS violation
      FROM t JOIN pg_index i ON i.indrelid = t.oid AND i.indisunique
      JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_namespace n ON n.oid = ic.relnamespace
      WHERE n.nspname || '.' || ic.relname <> ALL ($3) AND NOT EXISTS (
        SELECT FROM columns a WHERE a.attrelid = t.oid AND a.attname = t.own_key AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))`,
    parameters: [...tenantTables, GLOBALLY_UNIQUE],
  },
  {
    name: 'an exclusion constraint of a tenant table is one within the tenant',
    sql: `WITH ${TENANT_TABLES_SQL}
      SELECT t.name || ' ' || k.conname AS violation FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'x'
      WHERE NOT EXISTS (SELECT FROM columns a WHERE a.attrelid = t.oid AND a.attname = t.own_key AND a.attnum = ANY (k.conkey))`,
    parameters: tenantTables,
  },
  {
    name: 'a foreign key between tenant tables carries the tenant on both sides',
    sql: `WITH ${TENANT_TABLES_SQL}
      SELECT child.name || ' ' || k.conname AS violation
      FROM pg_constraint k JOIN t child ON child.oid = k.conrelid JOIN t parent ON parent.oid = k.confrelid
      WHERE k.contype = 'f' AND NOT EXISTS (
        SELECT FROM unnest(k.conkey, k.confkey) AS pair(own, theirs)
        JOIN columns a ON a.attrelid = child.oid AND a.attnum = pair.own AND a.attname = child.own_key
        JOIN columns b ON b.attrelid = parent.oid AND b.attnum = pair.theirs AND b.attname = parent.own_key)`,
    parameters: tenantTables,
  },
  {
    name: 'a foreign key has an index that begins with its columns',
    sql: `SELECT k.conrelid::regclass || ' ' || k.conname AS violation
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE k.contype = 'f' AND n.nspname = ANY ($1) AND NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid AND i.indpred IS NULL
          AND i.indnkeyatts >= cardinality(k.conkey)
          AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey AND k.conkey @> (i.indkey::int2[])[0:cardinality(k.conkey) - 1])`,
    parameters: [SCHEMAS],
  },
  {
    name: 'no column is an enum: comparing one is not leakproof, so no index would serve it under row-level security',
    sql: `SELECT n.nspname || '.' || c.relname || '.' || a.attname AS violation
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_type element ON element.oid = y.typelem
      WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND 'e' IN (y.typtype, element.typtype)`,
    parameters: [SCHEMAS],
  },
  {
    name: 'a moment is a timestamptz(3)',
    sql: `SELECT n.nspname || '.' || c.relname || '.' || a.attname AS violation
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') AND a.attnum > 0
        AND (a.atttypid = 'timestamp'::regtype OR (a.atttypid = 'timestamptz'::regtype AND a.atttypmod <> 3))`,
    parameters: [SCHEMAS],
  },
  {
    name: "a view has its caller's rights, and nothing materialized stands beside the tables: row-level security is on tables only",
    sql: `SELECT n.nspname || '.' || c.relname AS violation FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = ANY ($1) AND (c.relkind = 'm'
        OR (c.relkind = 'v' AND NOT coalesce(c.reloptions && '{security_invoker=true,security_invoker=on,security_invoker=1}', false)))`,
    parameters: [[...SCHEMAS, 'public']],
  },
  {
    name: "a function with its owner's rights is listed, has a fixed search_path and is not for everybody",
    sql: `SELECT p.oid::regprocedure || ': ' || fault AS violation
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, LATERAL unnest(ARRAY[
        CASE WHEN p.oid::regprocedure::text <> ALL ($1) THEN 'not listed' END,
        CASE WHEN NOT coalesce(p.proconfig && $2, false) THEN 'no fixed search_path' END,
        CASE WHEN has_function_privilege('public', p.oid, 'EXECUTE') THEN 'everybody may call it' END]) AS fault
      WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND fault IS NOT NULL`,
    parameters: [SECURITY_DEFINERS, FIXED_SEARCH_PATHS],
  },
];

/** What breaks the rule, in words. */
export async function violationsOf(rule: SchemaRule, query: Query): Promise<string[]> {
  const rows = await query<{ violation: string }>(rule.sql, rule.parameters);
  return rows.map((row) => row.violation).toSorted();
}
