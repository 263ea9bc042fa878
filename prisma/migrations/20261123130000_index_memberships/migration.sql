-- For each list, sort and filter the index that serves it (docs/database-schema.md has the table). One table in each migration:
-- the locks of two would meet requests that take them in another order.

-- A filter together with each sort.
CREATE INDEX "memberships_tenant_id_status_name_key_id_idx" ON "app"."memberships"("tenant_id", "status", "name_key", "id");
CREATE INDEX "memberships_tenant_id_status_email_idx" ON "app"."memberships"("tenant_id", "status", "email");

-- A prepared statement is planned once for all tenants, as for one of average size; among 100,000 small tenants that is none, and
-- then any index that begins with the tenant seems as good as the right one. So plans are made for a tenant with a hundredth
-- of all rows: what is right for it is not wrong for a small one. (Taken into account by the next ANALYZE.)
ALTER TABLE "app"."memberships" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
ALTER TABLE "app"."membership_roles" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
ALTER TABLE "app"."roles" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
ALTER TABLE "app"."role_permissions" ALTER COLUMN "tenant_id" SET (n_distinct = 100);
