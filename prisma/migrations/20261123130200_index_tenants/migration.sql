-- A list of tenants is one of those that are deleted, or of the others: the indexes are, too.
CREATE INDEX "tenants_open_created_at_id_idx" ON "app"."tenants"("created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_name_key_id_idx" ON "app"."tenants"("name_key", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_slug_idx" ON "app"."tenants"("slug") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_status_created_at_id_idx" ON "app"."tenants"("status", "created_at", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_status_name_key_id_idx" ON "app"."tenants"("status", "name_key", "id") WHERE "deleted_at" IS NULL;
CREATE INDEX "tenants_open_status_slug_idx" ON "app"."tenants"("status", "slug") WHERE "deleted_at" IS NULL;
-- Deleted ones go when their time is over, so there are few: any order of them is made by sorting.
CREATE INDEX "tenants_deleted_created_at_id_idx" ON "app"."tenants"("created_at", "id") WHERE "deleted_at" IS NOT NULL;

-- A tenant's status is taken for a rare one: for those the index must be the right one.
ALTER TABLE "app"."tenants" ALTER COLUMN "status" SET (n_distinct = 1000);
