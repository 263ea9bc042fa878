-- The tables of schema.prisma. The parts that Prisma cannot say stand at the end: checks, policies, grants, functions.
-- Text that is sorted or searched is in "C" order: the order of the keyset cursors, and one that range searches can use.

-- CreateTable
CREATE TABLE "app"."tenants" (
    "id" UUID NOT NULL,
    "slug" TEXT COLLATE "C" NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),
    "purge_after" TIMESTAMPTZ(3),

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "app"."memberships" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "memberships_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "app"."roles" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "system_key" TEXT,
    "name" TEXT NOT NULL,
    "name_key" TEXT COLLATE "C" NOT NULL,
    "description" TEXT NOT NULL DEFAULT '',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "roles_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "app"."role_permissions" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "role_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "subject" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "conditions" JSONB,
    "fields" TEXT[],
    "inverted" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "role_permissions_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "app"."membership_roles" (
    "tenant_id" UUID NOT NULL,
    "membership_id" UUID NOT NULL,
    "role_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "membership_roles_pkey" PRIMARY KEY ("tenant_id","membership_id","role_id")
);

-- CreateTable
CREATE TABLE "app"."permissions" (
    "subject" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "description" TEXT NOT NULL,

    CONSTRAINT "permissions_pkey" PRIMARY KEY ("subject","action")
);

-- CreateTable
CREATE TABLE "audit"."events" (
    "tenant_id" UUID NOT NULL,
    "id" UUID NOT NULL,
    "occurred_at" TIMESTAMPTZ(3) NOT NULL,
    "action" TEXT NOT NULL,
    "result" TEXT NOT NULL,
    "actor_type" TEXT NOT NULL,
    "actor_account_id" UUID,
    "actor_user_id" UUID,
    "target_type" TEXT,
    "target_id" UUID,
    "before" JSONB,
    "after" JSONB,
    "address" TEXT,
    "user_agent" TEXT,
    "request_id" TEXT,

    CONSTRAINT "events_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "identity"."users" (
    "id" UUID NOT NULL,
    "email" TEXT COLLATE "C" NOT NULL,
    "name" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "platform_role" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "identity"."credentials" (
    "user_id" UUID NOT NULL,
    "password_hash" TEXT NOT NULL,
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "credentials_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "identity"."sessions" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "address" TEXT NOT NULL,
    "user_agent" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "end_reason" TEXT,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "identity"."refresh_tokens" (
    "token_hash" BYTEA NOT NULL,
    "session_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "refresh_tokens_pkey" PRIMARY KEY ("token_hash")
);

-- CreateTable
CREATE TABLE "identity"."signing_keys" (
    "kid" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed_key" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "identity"."idempotency_keys" (
    "id" BYTEA NOT NULL,
    "fingerprint" BYTEA NOT NULL,
    "status" INTEGER,
    "sealed_answer" BYTEA,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "identity"."sign_in_attempts" (
    "key" VARCHAR(255) NOT NULL,
    "points" INTEGER NOT NULL DEFAULT 0,
    "expire" BIGINT,

    CONSTRAINT "sign_in_attempts_pkey" PRIMARY KEY ("key")
);

-- CreateIndex
CREATE UNIQUE INDEX "tenants_slug_key" ON "app"."tenants"("slug");

-- CreateIndex
CREATE INDEX "tenants_name_key_id_idx" ON "app"."tenants"("name_key", "id");

-- CreateIndex
CREATE INDEX "tenants_created_at_id_idx" ON "app"."tenants"("created_at", "id");

-- CreateIndex
CREATE INDEX "tenants_status_created_at_id_idx" ON "app"."tenants"("status", "created_at", "id");

-- CreateIndex
CREATE INDEX "tenants_purge_after_idx" ON "app"."tenants"("purge_after");

-- CreateIndex
CREATE INDEX "memberships_tenant_id_name_key_id_idx" ON "app"."memberships"("tenant_id", "name_key", "id");

-- CreateIndex
CREATE INDEX "memberships_tenant_id_created_at_id_idx" ON "app"."memberships"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "memberships_tenant_id_status_created_at_id_idx" ON "app"."memberships"("tenant_id", "status", "created_at", "id");

-- CreateIndex
CREATE INDEX "memberships_user_id_idx" ON "app"."memberships"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "memberships_tenant_id_user_id_key" ON "app"."memberships"("tenant_id", "user_id");

-- CreateIndex
CREATE UNIQUE INDEX "memberships_tenant_id_email_key" ON "app"."memberships"("tenant_id", "email");

-- CreateIndex
CREATE INDEX "roles_tenant_id_created_at_id_idx" ON "app"."roles"("tenant_id", "created_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "roles_tenant_id_name_key_key" ON "app"."roles"("tenant_id", "name_key");

-- CreateIndex
CREATE UNIQUE INDEX "roles_tenant_id_system_key_key" ON "app"."roles"("tenant_id", "system_key");

-- CreateIndex
CREATE INDEX "role_permissions_subject_action_idx" ON "app"."role_permissions"("subject", "action");

-- CreateIndex
CREATE UNIQUE INDEX "role_permissions_tenant_id_role_id_position_key" ON "app"."role_permissions"("tenant_id", "role_id", "position");

-- CreateIndex
CREATE INDEX "membership_roles_tenant_id_role_id_idx" ON "app"."membership_roles"("tenant_id", "role_id");

-- CreateIndex
CREATE INDEX "events_tenant_id_occurred_at_id_idx" ON "audit"."events"("tenant_id", "occurred_at", "id");

-- CreateIndex
CREATE INDEX "events_tenant_id_action_occurred_at_id_idx" ON "audit"."events"("tenant_id", "action", "occurred_at", "id");

-- CreateIndex
CREATE INDEX "events_tenant_id_actor_user_id_occurred_at_id_idx" ON "audit"."events"("tenant_id", "actor_user_id", "occurred_at", "id");

-- CreateIndex
CREATE INDEX "events_tenant_id_target_id_occurred_at_id_idx" ON "audit"."events"("tenant_id", "target_id", "occurred_at", "id");

-- CreateIndex
CREATE UNIQUE INDEX "users_email_key" ON "identity"."users"("email");

-- CreateIndex
CREATE INDEX "users_created_at_id_idx" ON "identity"."users"("created_at", "id");

-- CreateIndex
CREATE INDEX "users_platform_role_idx" ON "identity"."users"("platform_role");

-- CreateIndex
CREATE INDEX "sessions_user_id_created_at_id_idx" ON "identity"."sessions"("user_id", "created_at", "id");

-- CreateIndex
CREATE INDEX "sessions_expires_at_idx" ON "identity"."sessions"("expires_at");

-- CreateIndex
CREATE INDEX "refresh_tokens_session_id_idx" ON "identity"."refresh_tokens"("session_id");

-- CreateIndex
CREATE INDEX "idempotency_keys_expires_at_idx" ON "identity"."idempotency_keys"("expires_at");

-- CreateIndex
CREATE INDEX "sign_in_attempts_expire_idx" ON "identity"."sign_in_attempts"("expire");

-- AddForeignKey
ALTER TABLE "app"."memberships" ADD CONSTRAINT "memberships_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "app"."tenants"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."memberships" ADD CONSTRAINT "memberships_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."roles" ADD CONSTRAINT "roles_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "app"."tenants"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."role_permissions" ADD CONSTRAINT "role_permissions_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "app"."tenants"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."role_permissions" ADD CONSTRAINT "role_permissions_tenant_id_role_id_fkey" FOREIGN KEY ("tenant_id", "role_id") REFERENCES "app"."roles"("tenant_id", "id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."role_permissions" ADD CONSTRAINT "role_permissions_subject_action_fkey" FOREIGN KEY ("subject", "action") REFERENCES "app"."permissions"("subject", "action") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."membership_roles" ADD CONSTRAINT "membership_roles_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "app"."tenants"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."membership_roles" ADD CONSTRAINT "membership_roles_tenant_id_membership_id_fkey" FOREIGN KEY ("tenant_id", "membership_id") REFERENCES "app"."memberships"("tenant_id", "id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "app"."membership_roles" ADD CONSTRAINT "membership_roles_tenant_id_role_id_fkey" FOREIGN KEY ("tenant_id", "role_id") REFERENCES "app"."roles"("tenant_id", "id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "identity"."credentials" ADD CONSTRAINT "credentials_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "identity"."sessions" ADD CONSTRAINT "sessions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "identity"."users"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "identity"."refresh_tokens" ADD CONSTRAINT "refresh_tokens_session_id_fkey" FOREIGN KEY ("session_id") REFERENCES "identity"."sessions"("id") ON DELETE CASCADE ON UPDATE RESTRICT;

-- Checks instead of enums: `enum = …` is not leakproof, so it could not be an index condition under row-level security.
ALTER TABLE "app"."tenants"
  ADD CONSTRAINT "tenants_slug_check" CHECK ("slug" ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
  ADD CONSTRAINT "tenants_name_check" CHECK (char_length("name") BETWEEN 1 AND 200),
  ADD CONSTRAINT "tenants_status_check" CHECK ("status" IN ('active', 'suspended')),
  ADD CONSTRAINT "tenants_purge_check" CHECK (("deleted_at" IS NULL) = ("purge_after" IS NULL));
ALTER TABLE "app"."memberships"
  ADD CONSTRAINT "memberships_email_check" CHECK (char_length("email") BETWEEN 3 AND 254 AND "email" = lower("email")),
  ADD CONSTRAINT "memberships_name_check" CHECK (char_length("name") BETWEEN 1 AND 200),
  ADD CONSTRAINT "memberships_status_check" CHECK ("status" IN ('active', 'suspended'));
ALTER TABLE "app"."roles"
  ADD CONSTRAINT "roles_name_check" CHECK (char_length("name") BETWEEN 1 AND 100),
  ADD CONSTRAINT "roles_description_check" CHECK (char_length("description") <= 500),
  ADD CONSTRAINT "roles_system_key_check" CHECK ("system_key" IN ('owner', 'admin', 'member', 'viewer'));
ALTER TABLE "app"."role_permissions"
  ADD CONSTRAINT "role_permissions_conditions_check" CHECK (jsonb_typeof("conditions") = 'object'),
  ALTER COLUMN "fields" SET NOT NULL;
ALTER TABLE "audit"."events"
  ADD CONSTRAINT "events_result_check" CHECK ("result" IN ('success', 'denied', 'failure')),
  ADD CONSTRAINT "events_actor_type_check" CHECK ("actor_type" IN ('user', 'platform', 'system', 'anonymous'));
ALTER TABLE "identity"."users"
  ADD CONSTRAINT "users_email_check" CHECK (char_length("email") BETWEEN 3 AND 254 AND "email" = lower("email")),
  ADD CONSTRAINT "users_name_check" CHECK (char_length("name") BETWEEN 1 AND 200),
  ADD CONSTRAINT "users_status_check" CHECK ("status" IN ('active', 'disabled')),
  ADD CONSTRAINT "users_platform_role_check" CHECK ("platform_role" = 'administrator');
ALTER TABLE "identity"."credentials"
  ADD CONSTRAINT "credentials_password_hash_check" CHECK ("password_hash" LIKE '$argon2id$%');
ALTER TABLE "identity"."sessions"
  ADD CONSTRAINT "sessions_end_check" CHECK (("ended_at" IS NULL) = ("end_reason" IS NULL));

SELECT app.protect_tenant_table('app.tenants', 'id');
SELECT app.protect_tenant_table('app.memberships');
SELECT app.protect_tenant_table('app.roles');
SELECT app.protect_tenant_table('app.role_permissions');
SELECT app.protect_tenant_table('app.membership_roles');
SELECT app.protect_tenant_table('audit.events', privileges => 'SELECT, INSERT');

GRANT SELECT ON "app"."permissions" TO tenantry_app;

-- The platform login stands above tenants, by policies of its own: it sees which tenants there are and who is in them,
-- and nothing else that a tenant owns. In the audit trail it has the platform's own events, those of the nil tenant.
GRANT SELECT ON "app"."tenants", "app"."memberships" TO tenantry_platform;
CREATE POLICY platform_reads ON "app"."tenants" FOR SELECT TO tenantry_platform USING (true);
CREATE POLICY platform_reads ON "app"."memberships" FOR SELECT TO tenantry_platform USING (true);
GRANT SELECT, INSERT ON "audit"."events" TO tenantry_platform;
CREATE POLICY platform_events ON "audit"."events" TO tenantry_platform
  USING ("tenant_id" = '00000000-0000-0000-0000-000000000000') WITH CHECK ("tenant_id" = '00000000-0000-0000-0000-000000000000');
GRANT SELECT, INSERT, UPDATE, DELETE ON "app"."permissions" TO tenantry_platform;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "identity" TO tenantry_platform;

-- The audit trail is append-only for everybody, its owner included.
CREATE FUNCTION audit.refuse_change() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
BEGIN
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON "audit"."events"
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- The two questions that the app login may ask of `identity`, so that a request needs one connection.
-- Who owns this session, if it is alive and its person is not disabled?
CREATE FUNCTION identity.active_session(session_id uuid)
  RETURNS TABLE (user_id uuid, email text, name text, platform_role text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog ROWS 1
AS $$
  SELECT u.id, u.email, u.name, u.platform_role
  FROM identity.sessions s
  JOIN identity.users u ON u.id = s.user_id
  WHERE s.id = session_id AND s.ended_at IS NULL AND s.expires_at > now() AND u.status = 'active'
$$;
-- The account of an e-mail address, made if there is none. An existing account keeps its name and its password.
CREATE FUNCTION identity.ensure_user(new_id uuid, user_email text, user_name text, new_password_hash text DEFAULT NULL)
  RETURNS TABLE (user_id uuid, created boolean)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog ROWS 1
AS $$
BEGIN
  INSERT INTO identity.users (id, email, name) VALUES (new_id, user_email, user_name) ON CONFLICT (email) DO NOTHING;
  created := FOUND;
  IF created AND new_password_hash IS NOT NULL THEN
    INSERT INTO identity.credentials (user_id, password_hash) VALUES (new_id, new_password_hash);
  END IF;
  SELECT id INTO user_id FROM identity.users WHERE email = user_email;
  RETURN NEXT;
END
$$;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA "identity" FROM PUBLIC;
GRANT EXECUTE ON FUNCTION identity.active_session(uuid) TO tenantry_app;
GRANT EXECUTE ON FUNCTION identity.ensure_user(uuid, text, text, text) TO tenantry_app;
