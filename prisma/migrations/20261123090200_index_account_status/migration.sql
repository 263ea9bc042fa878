-- For GET /v1/platform/accounts?status=disabled.
CREATE INDEX "users_status_created_at_id_idx" ON "identity"."users"("status", "created_at", "id");
