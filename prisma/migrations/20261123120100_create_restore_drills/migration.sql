-- What the drills have shown, and how a restored database is compared with the one that was backed up: by counts and checksums,
-- which the backup login may learn, of rows which it may not see.

-- CreateTable
CREATE TABLE "ops"."restore_drills" (
    "id" UUID NOT NULL,
    "status" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3) NOT NULL,
    "engine" TEXT NOT NULL,
    "instance" TEXT NOT NULL,
    "backup_id" TEXT,
    "replayed_to" TIMESTAMPTZ(3),
    "rto_seconds" DOUBLE PRECISION,
    "rpo_seconds" DOUBLE PRECISION,
    "compared_entries" INTEGER,
    "mismatched_entries" INTEGER,
    "corrupt_objects" INTEGER,
    "report" JSONB NOT NULL,

    CONSTRAINT "restore_drills_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "restore_drills_started_at_idx" ON "ops"."restore_drills"("started_at" DESC);

ALTER TABLE "ops"."restore_drills"
  ADD CONSTRAINT "restore_drills_status_check" CHECK ("status" IN ('succeeded', 'failed')),
  ADD CONSTRAINT "restore_drills_time_check" CHECK ("finished_at" >= "started_at");

GRANT SELECT, INSERT, DELETE ON "ops"."restore_drills" TO tenantry_backup;
GRANT SELECT ON "ops"."restore_drills" TO tenantry_monitor;

-- As for ops.tenant_sizes(): it opens the tables, for reading, to the owner's functions in a session that the backup login has
-- opened, and in no other. Now every tenant table gets it.
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
  EXECUTE format('DROP POLICY IF EXISTS backup_checksums ON %s', target);
  EXECUTE format(
    'CREATE POLICY backup_checksums ON %s FOR SELECT TO CURRENT_USER USING (session_user = ''tenantry_backup'')', target
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

-- The tables that are compared. `tenant_column` says whose a row is; null: nobody's.
CREATE FUNCTION ops.compared_tables() RETURNS TABLE (target regclass, table_name text, tenant_column name)
  LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
  SELECT c.oid::regclass, n.nspname || '.' || c.relname, CASE WHEN n.nspname || '.' || c.relname = 'app.tenants' THEN 'id' ELSE a.attname END
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype AND NOT a.attisdropped
  WHERE n.nspname IN ('app', 'audit', 'identity', 'ops') AND c.relkind = 'r' AND c.relpersistence = 'p'
  ORDER BY 2
$$;

-- Keeps writers out until the transaction ends, so that what is committed, what a snapshot sees and what the write-ahead log holds are
-- the same for a moment. For as long as it waits all others wait, too: the caller sets a short lock_timeout.
CREATE FUNCTION ops.lock_compared_tables() RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  EXECUTE (SELECT format('LOCK TABLE %s IN SHARE MODE', string_agg(target::text, ', ')) FROM ops.compared_tables());
END
$$;

-- How many rows of each tenant there are in each table, and the sum of their hashes: no value of a row. Rows as text, so that the
-- same row has the same hash on another server; hence the fixed settings.
CREATE FUNCTION ops.table_checksums()
  RETURNS TABLE (table_name text, tenant_id uuid, row_count bigint, checksum numeric)
  LANGUAGE plpgsql STABLE SECURITY DEFINER
  SET search_path = pg_catalog SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET "TimeZone" = 'UTC'
  SET extra_float_digits = 1 SET bytea_output = 'hex'
AS $$
DECLARE
  compared record;
BEGIN
  FOR compared IN SELECT * FROM ops.compared_tables() LOOP
    RETURN QUERY EXECUTE format(
      'SELECT $1, %s, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM %s AS t GROUP BY 2',
      CASE WHEN compared.tenant_column IS NULL THEN 'NULL::uuid' ELSE format('t.%I', compared.tenant_column) END, compared.target
    ) USING compared.table_name;
  END LOOP;
END
$$;

REVOKE ALL ON FUNCTION ops.compared_tables(), ops.lock_compared_tables(), ops.table_checksums() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.lock_compared_tables(), ops.table_checksums() TO tenantry_backup;
