-- Which backups were taken, and how backups stand. The backup login writes both, the monitor login reads them. The repository
-- needs neither: a restore asks no database. A restored database shows its own past.

-- As in the first migration: a bare database of a superuser gets the role without a login.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenantry_backup') THEN
    BEGIN
      CREATE ROLE tenantry_backup NOLOGIN;
    EXCEPTION WHEN insufficient_privilege THEN
      RAISE EXCEPTION 'the role tenantry_backup does not exist' USING HINT = 'Run `npm run db:bootstrap` first: it creates Tenantry''s logins.';
    END;
  END IF;
END
$$;

GRANT USAGE ON SCHEMA "ops" TO tenantry_backup;

-- CreateTable
CREATE TABLE "ops"."backup_runs" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "engine" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "instance" TEXT NOT NULL,
    "backup_id" TEXT,
    "cluster_bytes" BIGINT,
    "stored_bytes" BIGINT,
    "error" TEXT,

    CONSTRAINT "backup_runs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ops"."backup_state" (
    "id" SMALLINT NOT NULL DEFAULT 1,
    "observed_at" TIMESTAMPTZ(3) NOT NULL,
    "instance" TEXT NOT NULL,
    "engine" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "surveyed_at" TIMESTAMPTZ(3),
    "repository_error" TEXT,
    "backups" INTEGER,
    "newest_backup_id" TEXT,
    "newest_backup_at" TIMESTAMPTZ(3),
    "coverage_from" TIMESTAMPTZ(3),
    "coverage_to" TIMESTAMPTZ(3),
    "gap" TEXT,
    "gap_at" TIMESTAMPTZ(3),
    "receiver_up" BOOLEAN,
    "wal_lag_bytes" BIGINT,

    CONSTRAINT "backup_state_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "backup_runs_started_at_idx" ON "ops"."backup_runs"("started_at" DESC);

ALTER TABLE "ops"."backup_runs"
  ADD CONSTRAINT "backup_runs_kind_check" CHECK ("kind" IN ('base')),
  ADD CONSTRAINT "backup_runs_trigger_check" CHECK ("trigger" IN ('first', 'schedule', 'catch-up', 'gap', 'manual')),
  ADD CONSTRAINT "backup_runs_status_check" CHECK ("status" IN ('running', 'succeeded', 'failed')),
  ADD CONSTRAINT "backup_runs_finished_check" CHECK (("status" = 'running') = ("finished_at" IS NULL)),
  ADD CONSTRAINT "backup_runs_result_check" CHECK (("status" = 'succeeded') = ("backup_id" IS NOT NULL));

ALTER TABLE "ops"."backup_state" ADD CONSTRAINT "backup_state_id_check" CHECK ("id" = 1);

GRANT SELECT, INSERT, UPDATE ON "ops"."backup_runs", "ops"."backup_state" TO tenantry_backup;
GRANT SELECT ON "ops"."backup_runs", "ops"."backup_state" TO tenantry_monitor;
