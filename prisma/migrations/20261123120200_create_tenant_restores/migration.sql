-- Restoring one tenant: what the backup login may do in the tables of tenants, which restores there were, and what they replaced.

GRANT USAGE ON SCHEMA "app", "audit", "public" TO tenantry_backup;
DO $$
BEGIN
  IF to_regclass('public._prisma_migrations') IS NOT NULL THEN
    GRANT SELECT ON public._prisma_migrations TO tenantry_backup;
  END IF;
END
$$;

-- Under row-level security as everybody: in a transaction it reaches the rows of the tenant that is set there, and no others.
GRANT SELECT, INSERT, UPDATE, DELETE
  ON "app"."tenants", "app"."memberships", "app"."roles", "app"."role_permissions", "app"."membership_roles" TO tenantry_backup;
GRANT SELECT, INSERT ON "audit"."events" TO tenantry_backup;
GRANT SELECT ON "app"."permissions" TO tenantry_backup;

-- CreateTable
CREATE TABLE "ops"."tenant_restores" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "tenant_slug" TEXT NOT NULL,
    "moment" TIMESTAMPTZ(3) NOT NULL,
    "mode" TEXT NOT NULL,
    "into_slug" TEXT,
    "into_tenant_id" UUID,
    "status" TEXT NOT NULL,
    "step" TEXT,
    "done" BIGINT NOT NULL DEFAULT 0,
    "total" BIGINT NOT NULL DEFAULT 0,
    "difference" JSONB,
    "conflicts" JSONB,
    "accounts" JSONB,
    "error_code" TEXT,
    "error" TEXT,
    "requested_by" UUID,
    "instance" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),
    "undo_until" TIMESTAMPTZ(3),
    "undone_at" TIMESTAMPTZ(3),
    "undone_by" UUID,
    "rows_kept" BOOLEAN NOT NULL DEFAULT true,

    CONSTRAINT "tenant_restores_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ops"."tenant_restore_rows" (
    "restore_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "table_name" TEXT NOT NULL,
    "row_key" TEXT NOT NULL,
    "tenant_id" UUID NOT NULL,
    "row" JSONB NOT NULL,

    CONSTRAINT "tenant_restore_rows_pkey" PRIMARY KEY ("restore_id","kind","table_name","row_key")
);

-- CreateIndex
CREATE INDEX "tenant_restores_created_at_id_idx" ON "ops"."tenant_restores"("created_at", "id");

-- CreateIndex
CREATE INDEX "tenant_restores_tenant_id_created_at_id_idx" ON "ops"."tenant_restores"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "tenant_restores_undo_until_idx" ON "ops"."tenant_restores"("undo_until");

-- AddForeignKey
ALTER TABLE "ops"."tenant_restore_rows" ADD CONSTRAINT "tenant_restore_rows_restore_id_fkey" FOREIGN KEY ("restore_id") REFERENCES "ops"."tenant_restores"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

ALTER TABLE "ops"."tenant_restores"
  ADD CONSTRAINT "tenant_restores_mode_check" CHECK ("mode" IN ('dry-run', 'side-by-side', 'in-place')),
  ADD CONSTRAINT "tenant_restores_into_check" CHECK (("mode" = 'side-by-side') = ("into_slug" IS NOT NULL)),
  ADD CONSTRAINT "tenant_restores_status_check" CHECK ("status" IN ('running', 'succeeded', 'failed', 'undone')),
  ADD CONSTRAINT "tenant_restores_finished_check" CHECK (("status" = 'running') = ("finished_at" IS NULL)),
  ADD CONSTRAINT "tenant_restores_error_check" CHECK (("status" = 'failed') = ("error_code" IS NOT NULL));
ALTER TABLE "ops"."tenant_restore_rows"
  ADD CONSTRAINT "tenant_restore_rows_kind_check" CHECK ("kind" IN ('wanted', 'replaced', 'undone'));

-- One at a time for each tenant, whoever starts it.
CREATE UNIQUE INDEX "tenant_restores_running_key" ON "ops"."tenant_restores"("tenant_id") WHERE "status" = 'running';

-- Rows of tenants, so under the tenants' own rule, and for nobody who serves requests.
ALTER TABLE "ops"."tenant_restore_rows" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_isolation ON "ops"."tenant_restore_rows"
  USING ("tenant_id" = app.current_tenant()) WITH CHECK ("tenant_id" = app.current_tenant());
CREATE POLICY backup_checksums ON "ops"."tenant_restore_rows" FOR SELECT TO CURRENT_USER USING (session_user = 'tenantry_backup');

GRANT SELECT, INSERT, UPDATE, DELETE ON "ops"."tenant_restores", "ops"."tenant_restore_rows" TO tenantry_backup;
GRANT SELECT ON "ops"."tenant_restores" TO tenantry_monitor, tenantry_platform;
GRANT USAGE ON SCHEMA "ops" TO tenantry_platform;

-- Which tenant has this slug? Before that is known no tenant can be set. (The policy backup_checksums lets it look.)
CREATE FUNCTION ops.tenant_of_slug(wanted text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
  SELECT id FROM app.tenants WHERE slug = wanted
$$;

-- Of these accounts, those that a membership could not refer to: `erased` for good, `email_taken` when the address is another's by
-- now, or `missing`. (Erasures are kept by the migration after this one; names in plpgsql are looked up when it runs.)
CREATE FUNCTION ops.absent_accounts(account_ids uuid[], emails text[])
  RETURNS TABLE (account_id uuid, problem text)
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  RETURN QUERY
    SELECT wanted.id, CASE
      WHEN EXISTS (SELECT FROM ops.erasures e WHERE e.subject = 'account' AND e.subject_id = wanted.id) THEN 'erased'
      WHEN EXISTS (SELECT FROM identity.users taken WHERE taken.email = wanted.email) THEN 'email_taken'
      ELSE 'missing'
    END
    FROM unnest(account_ids, emails) AS wanted(id, email)
    WHERE NOT EXISTS (SELECT FROM identity.users present WHERE present.id = wanted.id);
END
$$;

-- Was this tenant erased for good?
CREATE FUNCTION ops.is_tenant_erased(tenant uuid) RETURNS boolean
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM ops.erasures e WHERE e.subject = 'tenant' AND e.subject_id = tenant);
END
$$;

-- An account of this id again: disabled, without a password, a session or a right above tenants.
CREATE FUNCTION ops.bring_back_account(account_id uuid, account_email text, account_name text) RETURNS void
  LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog
AS $$
  INSERT INTO identity.users (id, email, name, status) VALUES (account_id, account_email, account_name, 'disabled')
$$;

REVOKE ALL ON FUNCTION ops.tenant_of_slug(text), ops.absent_accounts(uuid[], text[]), ops.is_tenant_erased(uuid),
  ops.bring_back_account(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.tenant_of_slug(text), ops.absent_accounts(uuid[], text[]), ops.is_tenant_erased(uuid),
  ops.bring_back_account(uuid, text, text) TO tenantry_backup;
