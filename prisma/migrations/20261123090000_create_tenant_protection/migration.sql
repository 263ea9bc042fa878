-- Schemas, who may enter them, and the one function that puts a table under row-level security.

-- `npm run db:bootstrap` makes the logins. On a bare database of a superuser (`prisma migrate dev`) they come as roles
-- without a login, so that the grants below have somebody to go to.
DO $$
DECLARE
  login text;
BEGIN
  FOREACH login IN ARRAY ARRAY['tenantry_app', 'tenantry_platform'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN', login);
      EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role % does not exist', login USING HINT = 'Run `npm run db:bootstrap` first: it creates Tenantry''s logins.';
      END;
    END IF;
  END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS "app";
CREATE SCHEMA IF NOT EXISTS "audit";
CREATE SCHEMA IF NOT EXISTS "identity";

GRANT USAGE ON SCHEMA "app", "audit", "public" TO tenantry_app, tenantry_platform;
GRANT USAGE ON SCHEMA "identity" TO tenantry_app, tenantry_platform; -- the app login may call two functions there, and read no table

-- The health check compares the applied migrations with those that the code brings. Prisma makes this table before it runs us,
-- though not in a shadow database.
DO $$
BEGIN
  IF to_regclass('public._prisma_migrations') IS NOT NULL THEN
    GRANT SELECT ON public._prisma_migrations TO tenantry_app, tenantry_platform;
  END IF;
END
$$;

-- The tenant of the current transaction, or NULL. STABLE and inlined, so that the planner makes a one-time filter of it;
-- an IMMUTABLE one leaked through cached plans. After a local setting has ended its value is '', hence the nullif.
CREATE FUNCTION app.current_tenant() RETURNS uuid
  LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

-- Puts a tenant-owned table under forced row-level security and grants the app login its rights on it.
-- Call it in the migration that creates the table. Refuses a table whose primary key does not begin with the tenant.
CREATE FUNCTION app.protect_tenant_table(
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
  EXECUTE format('GRANT %s ON %s TO tenantry_app', privileges, target);
END
$$;

REVOKE EXECUTE ON FUNCTION app.protect_tenant_table(regclass, name, text) FROM PUBLIC;
