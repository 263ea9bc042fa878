CREATE INDEX "erasures_subject_erased_at_id_idx" ON "ops"."erasures"("subject", "erased_at", "id");
CREATE INDEX "erasures_subject_id_erased_at_id_idx" ON "ops"."erasures"("subject_id", "erased_at", "id");
