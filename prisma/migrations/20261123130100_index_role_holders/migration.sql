-- Who holds a role now: those without an end, and those whose end is to come, each a range; the rows themselves are not read.
CREATE INDEX "membership_roles_tenant_id_role_id_expires_at_membership_id_idx"
  ON "app"."membership_roles"("tenant_id", "role_id", "expires_at", "membership_id");
