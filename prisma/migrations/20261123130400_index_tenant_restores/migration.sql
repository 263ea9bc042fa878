CREATE INDEX "tenant_restores_status_created_at_id_idx" ON "ops"."tenant_restores"("status", "created_at", "id");
