-- For each list, sort and filter the index that serves it (docs/database-schema.md has the table).

-- A filter together with each sort.
CREATE INDEX "memberships_tenant_id_status_name_key_id_idx" ON "app"."memberships"("tenant_id", "status", "name_key", "id");
CREATE INDEX "memberships_tenant_id_status_email_idx" ON "app"."memberships"("tenant_id", "status", "email");
CREATE INDEX "events_tenant_id_result_occurred_at_id_idx" ON "audit"."events"("tenant_id", "result", "occurred_at", "id");
CREATE INDEX "erasures_subject_erased_at_id_idx" ON "ops"."erasures"("subject", "erased_at", "id");
CREATE INDEX "erasures_subject_id_erased_at_id_idx" ON "ops"."erasures"("subject_id", "erased_at", "id");
CREATE INDEX "tenant_restores_status_created_at_id_idx" ON "ops"."tenant_restores"("status", "created_at", "id");

-- Who holds a role now: those without an end, and those whose end is to come, each a range; the rows themselves are not read.
CREATE INDEX "membership_roles_tenant_id_role_id_expires_at_membership_id_idx"
  ON "app"."membership_roles"("tenant_id", "role_id", "expires_at", "membership_id");
DROP INDEX "app"."membership_roles_tenant_id_role_id_idx";

-- A list of tenants is one of those that are deleted, or of the others: the indexes are, too.
CREATE INDEX "tenants_open_created_at_id_idx" ON "app"."tenants"("created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_name_key_id_idx" ON "app"."tenants"("name_key", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_slug_idx" ON "app"."tenants"("slug") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_status_created_at_id_idx" ON "app"."tenants"("status", "created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_status_name_key_id_idx" ON "app"."tenants"("status", "name_key", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_status_slug_idx" ON "app"."tenants"("status", "slug") WHERE "deleted_at" IS NULL;
-- Deleted ones go when their time is over, so there are few: any order of them is made by sorting.
CREATE INDEX "tenants_deleted_created_at_id_idx" ON "app"."tenants"("created_at", "id") WHERE "deleted_at" IS NOT NULL;
DROP INDEX "app"."tenants_created_at_id_idx";
DROP INDEX "app"."tenants_name_key_id_idx";
DROP INDEX "app"."tenants_status_created_at_id_idx";

-- A prepared statement is planned once for all tenants, as for one of average size; among 100,000 small tenants that is none, and
-- then any index that begins with the tenant seems as good as the right one. So plans are made for a tenant with a hundredth
-- of all rows: what is right for it is not wrong for a small one. (Taken into account by the next ANALYZE.)
ALTER TABLE "app"."memberships" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
ALTER TABLE "app"."membership_roles" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
ALTER TABLE "app"."roles" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
ALTER TABLE "app"."role_permissions" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
-- Of the trail a tenth: two ends of a time, which PostgreSQL takes for 0.5 % of the rows, come on top.
ALTER TABLE "audit"."events" ALTER COLUMN "tenant_id" SET (n_distinct = 10);
-- Likewise a tenant's status is taken for a rare one: for those the index must be the right one.
ALTER TABLE "app"."tenants" ALTER COLUMN "status" SET (n_distinct = 1000);
