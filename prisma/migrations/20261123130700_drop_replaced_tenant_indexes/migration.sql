-- 20261123130200 has their successors.
DROP INDEX "app"."tenants_created_at_id_idx";
DROP INDEX "app"."tenants_name_key_id_idx";
DROP INDEX "app"."tenants_status_created_at_id_idx";
