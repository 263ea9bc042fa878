-- How large everything was, hour by hour, and how a tenant's share of it is found out. Only the monitor login may see it.

-- As in the first migration: a bare database of a superuser gets the role without a login.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenantry_monitor') THEN
    BEGIN
      CREATE ROLE tenantry_monitor NOLOGIN;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE EXCEPTION 'the role tenantry_monitor does not exist' USING HINT = 'Run `npm run db:bootstrap` first: it creates Tenantry''s logins.';
    END;
  END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS "ops";
GRANT USAGE ON SCHEMA "ops" TO tenantry_monitor;

-- CreateTable
CREATE TABLE "ops"."size_samples" (
    "taken_at" TIMESTAMPTZ(3) NOT NULL,
    "kind" TEXT NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "bytes" BIGINT NOT NULL,
    "estimated_rows" BIGINT,

    CONSTRAINT "size_samples_pkey" PRIMARY KEY ("taken_at","kind","name")
);

-- CreateIndex
CREATE INDEX "size_samples_kind_name_taken_at_idx" ON "ops"."size_samples"("kind", "name", "taken_at");

ALTER TABLE "ops"."size_samples" ADD CONSTRAINT "size_samples_kind_check" CHECK ("kind" IN ('database', 'table', 'tenant'));

GRANT SELECT, INSERT, DELETE ON "ops"."size_samples" TO tenantry_monitor;

-- ops.tenant_sizes() runs as the owner, to whom row-level security applies as well (it is forced). This policy opens the
-- tables to the owner's functions in a session that the monitor login has opened, and in no other: SECURITY DEFINER changes
-- current_user, never session_user. The owner's own sessions still see nothing without a tenant. Now every table gets it.
CREATE OR REPLACE FUNCTION app.protect_tenant_table(
  target regclass,
  tenant_column name DEFAULT 'tenant_id',
  privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'
) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_index i
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = target AND i.indisprimary AND a.attname = tenant_column AND a.atttypid = 'uuid'::regtype AND a.attnotnull
  ) THEN
    RAISE EXCEPTION 'the primary key of % must begin with "%", a uuid', target, tenant_column;
  END IF;
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
  EXECUTE format('DROP POLICY IF EXISTS tenant_isolation ON %s', target);
  EXECUTE format(
    'CREATE POLICY tenant_isolation ON %s USING (%2$I = app.current_tenant()) WITH CHECK (%2$I = app.current_tenant())',
    target, tenant_column
  );
  EXECUTE format('DROP POLICY IF EXISTS size_sampling ON %s', target);
  EXECUTE format(
    'CREATE POLICY size_sampling ON %s FOR SELECT TO CURRENT_USER USING (session_user = ''tenantry_monitor'')', target
  );
  EXECUTE format('GRANT %s ON %s TO tenantry_app', privileges, target);
END
$$;

SELECT app.protect_tenant_table('app.tenants', 'id');
SELECT app.protect_tenant_table('app.memberships');
SELECT app.protect_tenant_table('app.roles');
SELECT app.protect_tenant_table('app.role_permissions');
SELECT app.protect_tenant_table('app.membership_roles');
SELECT app.protect_tenant_table('audit.events', privileges => 'SELECT, INSERT');

-- What each tenant takes up in each table: no value of a row, only whose it is, how many, how much.
-- `bytes` is the tenant's part of the table with indexes, TOAST and dead rows, in proportion to the width of its rows (as
-- stored: compressed, and without fetching what lies outside of the row). All parts add up to the table.
-- A table of at most `pages` pages of 8 kB is counted; of a larger one about so many are read, the same ones each time, and the
-- rest is inferred: a tenant with few rows in it may then be missed. So its cost is bounded, however large the tables are.
CREATE FUNCTION ops.tenant_sizes(pages integer DEFAULT 2000)
  RETURNS TABLE (tenant_id uuid, table_name text, estimated_rows bigint, bytes bigint)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  page_budget constant float8 := least(greatest(coalesce(pages, 1), 1), 2000);
  header_bytes constant int := 28; -- of a row and its line pointer (PostgreSQL manual, 73.6)
  target record;
  fraction float8;
  width text;
BEGIN
  FOR target IN
    SELECT c.oid, n.nspname || '.' || c.relname AS name, a.attname AS tenant_column,
      pg_relation_size(c.oid) / current_setting('block_size')::float8 AS pages
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'size_sampling'
    JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
    WHERE c.relkind = 'r' AND n.nspname IN ('app', 'audit')
    ORDER BY 2
  LOOP
    CONTINUE WHEN target.pages = 0;
    fraction := least(1, page_budget / target.pages);
    SELECT string_agg(format('coalesce(pg_column_size(%I), 0)', attname), ' + ') INTO width
    FROM pg_attribute WHERE attrelid = target.oid AND attnum > 0 AND NOT attisdropped;
    RETURN QUERY EXECUTE format(
      'SELECT part.tenant, $1, round(part.counted / $2)::bigint, round($3 * part.width / sum(part.width) OVER ())::bigint
       FROM (SELECT %I AS tenant, count(*) AS counted, sum(%s + %s) AS width
             FROM %s TABLESAMPLE SYSTEM ($2 * 100) REPEATABLE (1) GROUP BY 1) AS part',
      target.tenant_column, width, header_bytes, target.oid::regclass
    ) USING target.name, fraction, pg_total_relation_size(target.oid);
  END LOOP;
END
$$;

REVOKE ALL ON FUNCTION ops.tenant_sizes(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.tenant_sizes(integer) TO tenantry_monitor;
