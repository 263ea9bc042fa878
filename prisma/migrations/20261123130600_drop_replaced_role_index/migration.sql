-- 20261123130100 has its successor. By itself: to drop an index takes a lock that nobody may hold any other beside.
DROP INDEX "app"."membership_roles_tenant_id_role_id_idx";
