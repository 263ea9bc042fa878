CREATE INDEX "sessions_user_id_network_idx" ON "identity"."sessions"("user_id", "network");
