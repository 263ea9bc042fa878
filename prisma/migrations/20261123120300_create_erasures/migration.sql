-- Erasing a tenant or people for good (docs/decisions/0017), and the receipts of it, which name nobody: ids only. What an import needs.

-- CreateTable
CREATE TABLE "ops"."erasures" (
    "id" UUID NOT NULL,
    "subject" TEXT NOT NULL,
    "subject_id" UUID NOT NULL,
    "account_ids" UUID[],
    "erased_at" TIMESTAMPTZ(3) NOT NULL,
    "receipt" TEXT NOT NULL,

    CONSTRAINT "erasures_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "erasures_erased_at_id_idx" ON "ops"."erasures"("erased_at", "id");

ALTER TABLE "ops"."erasures" ADD CONSTRAINT "erasures_subject_check" CHECK ("subject" IN ('tenant', 'account'));
ALTER TABLE "ops"."erasures" ALTER COLUMN "account_ids" SET NOT NULL;

GRANT USAGE ON SCHEMA "ops" TO tenantry_platform;
GRANT SELECT, INSERT ON "ops"."erasures" TO tenantry_platform;

-- As with ops.tenant_sizes(): both are true only within a function of the owner's that the platform login calls. There are three
-- of these, below. The owner's own sessions, and the platform login's, see and change no more than before.
CREATE POLICY erasure ON "app"."memberships" TO CURRENT_USER
  USING (session_user = 'tenantry_platform') WITH CHECK (session_user = 'tenantry_platform');
CREATE POLICY erasure ON "audit"."events" TO CURRENT_USER
  USING (session_user = 'tenantry_platform') WITH CHECK (session_user = 'tenantry_platform');
CREATE POLICY erasure ON "ops"."tenant_restore_rows" TO CURRENT_USER
  USING (session_user = 'tenantry_platform') WITH CHECK (session_user = 'tenantry_platform');

-- The audit trail stays append-only for everybody, its owner included, but for an erasure.
CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog
AS $$
DECLARE
  is_erasure boolean := session_user = 'tenantry_platform' AND current_user <> session_user
    AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID);
BEGIN
  IF is_erasure AND TG_OP <> 'TRUNCATE' THEN
    RETURN NULL; -- of no effect in a trigger for the statement
  END IF;
  RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Removes all that a tenant owns, its audit trail, the samples of its size and what a restore of it has put aside included; says
-- how many rows of each table.
CREATE FUNCTION ops.erase_tenant(erased uuid) RETURNS TABLE (table_name text, row_count bigint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  target record;
BEGIN
  IF erased IS NULL OR erased = '00000000-0000-0000-0000-000000000000' THEN
    RAISE EXCEPTION 'the platform itself is no tenant' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM set_config('app.tenant_id', erased::text, true);
  PERFORM FROM app.tenants WHERE id = erased FOR UPDATE; -- from here on nobody adds a row that refers to it
  FOR target IN -- those that refer to others first
    WITH RECURSIVE owned AS (
      SELECT c.oid, n.nspname || '.' || c.relname AS name, a.attname AS tenant_column
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'tenant_isolation'
      JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
      WHERE c.relkind = 'r' AND n.nspname IN ('app', 'audit')
    ),
    depth (oid, steps) AS (
      SELECT oid, 0 FROM owned
      UNION
      SELECT k.confrelid, depth.steps + 1 FROM depth
      JOIN pg_constraint k ON k.conrelid = depth.oid AND k.contype = 'f' AND k.confrelid <> k.conrelid
      JOIN owned ON owned.oid = k.confrelid
      WHERE depth.steps < 100
    )
    SELECT owned.oid, owned.name, owned.tenant_column FROM owned JOIN depth USING (oid)
    GROUP BY 1, 2, 3 ORDER BY max(depth.steps), 2
  LOOP
    EXECUTE format('DELETE FROM %s WHERE %I = $1', target.oid::regclass, target.tenant_column) USING erased;
    GET DIAGNOSTICS row_count = ROW_COUNT;
    table_name := target.name;
    RETURN NEXT;
  END LOOP;
  DELETE FROM ops.size_samples WHERE kind = 'tenant' AND name = erased::text;
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'ops.size_samples';
  RETURN NEXT;
  DELETE FROM ops.tenant_restore_rows r USING ops.tenant_restores t
  WHERE t.id = r.restore_id AND (t.tenant_id = erased OR t.into_tenant_id = erased);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'ops.tenant_restore_rows';
  RETURN NEXT;
  DELETE FROM ops.tenant_restores WHERE tenant_id = erased OR into_tenant_id = erased;
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'ops.tenant_restores';
  RETURN NEXT;
  PERFORM set_config('app.tenant_id', '', true);
END
$$;

-- The tenants that would be left without an owner by erasing these people. Who owns them cannot change until the transaction ends.
CREATE FUNCTION ops.tenants_left_by(erased uuid[]) RETURNS TABLE (tenant_id uuid, slug text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  candidate uuid;
BEGIN
  FOR candidate IN SELECT DISTINCT m.tenant_id FROM app.memberships m WHERE m.user_id = ANY (erased) ORDER BY 1 LOOP
    PERFORM set_config('app.tenant_id', candidate::text, true);
    SELECT t.id, t.slug INTO tenant_id, slug FROM app.tenants t WHERE t.id = candidate FOR NO KEY UPDATE;
    -- Who does not own it leaves nobody behind, not even where nobody owns it.
    CONTINUE WHEN (
      SELECT count(*) FILTER (WHERE m.user_id = ANY (erased)) = 0 OR count(*) FILTER (WHERE m.user_id <> ALL (erased)) > 0
      FROM app.membership_roles held
      JOIN app.roles r ON r.tenant_id = held.tenant_id AND r.id = held.role_id AND r.system_key = 'owner'
      JOIN app.memberships m ON m.tenant_id = held.tenant_id AND m.id = held.membership_id AND m.status = 'active'
      WHERE held.tenant_id = candidate AND held.expires_at IS NULL
    );
    RETURN NEXT;
  END LOOP;
  PERFORM set_config('app.tenant_id', '', true);
END
$$;

-- Removes people: their accounts, passwords, sessions and memberships. What the audit trail knows of them is taken out of it,
-- in all tenants: name and e-mail address where an event is about them; where they did it, network address and browser. What
-- stays are ids that lead to nobody any more. Says how many rows of each table were removed or (audit.events) stripped.
CREATE FUNCTION ops.erase_accounts(erased uuid[]) RETURNS TABLE (table_name text, row_count bigint)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
AS $$
DECLARE
  personal constant text[] := ARRAY['email', 'name'];
  emails text[];
  subjects uuid[]; -- the ids under which events speak of them
  membership record;
BEGIN
  PERFORM FROM identity.users u WHERE u.id = ANY (erased) ORDER BY u.id FOR UPDATE;
  SELECT array_agg(u.email) INTO emails FROM identity.users u WHERE u.id = ANY (erased);
  SELECT array_agg(id) INTO subjects FROM (
    SELECT unnest(erased) AS id
    UNION ALL SELECT s.id FROM identity.sessions s WHERE s.user_id = ANY (erased)
    UNION ALL SELECT m.id FROM app.memberships m WHERE m.user_id = ANY (erased)
  ) AS known;

  UPDATE audit.events e SET
    before = CASE WHEN about_them THEN e.before - personal ELSE e.before END,
    after = CASE WHEN about_them THEN e.after - personal ELSE e.after END,
    address = CASE WHEN by_them THEN NULL ELSE e.address END,
    user_agent = CASE WHEN by_them THEN NULL ELSE e.user_agent END
  FROM (
    SELECT f.tenant_id, f.id,
      coalesce(f.target_id = ANY (subjects) OR f.before->>'email' = ANY (emails) OR f.after->>'email' = ANY (emails), false) AS about_them,
      coalesce(f.actor_account_id = ANY (erased) OR f.actor_user_id = ANY (subjects)
        OR (f.actor_type = 'anonymous' AND f.target_id = ANY (subjects)), false) AS by_them
    FROM audit.events f
  ) AS found
  WHERE e.tenant_id = found.tenant_id AND e.id = found.id
    AND ((about_them AND (e.before ?| personal OR e.after ?| personal))
      OR (by_them AND (e.address IS NOT NULL OR e.user_agent IS NOT NULL)));
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'audit.events';
  RETURN NEXT;

  table_name := 'app.membership_roles';
  row_count := 0;
  FOR membership IN SELECT m.tenant_id, m.id FROM app.memberships m WHERE m.user_id = ANY (erased) ORDER BY 1, 2 LOOP
    PERFORM set_config('app.tenant_id', membership.tenant_id::text, true);
    row_count := row_count + (SELECT count(*) FROM app.membership_roles r
      WHERE r.tenant_id = membership.tenant_id AND r.membership_id = membership.id);
    DELETE FROM app.membership_roles r WHERE r.tenant_id = membership.tenant_id AND r.membership_id = membership.id;
    INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, target_type, target_id)
    VALUES (membership.tenant_id, gen_random_uuid(), clock_timestamp(), 'user.erased', 'success', 'platform', 'User', membership.id);
  END LOOP;
  RETURN NEXT;
  DELETE FROM app.memberships m WHERE m.user_id = ANY (erased);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'app.memberships';
  RETURN NEXT;

  -- A restore that has put them aside can't be undone any more: it would bring them back.
  WITH told AS (
    SELECT DISTINCT restore_id FROM ops.tenant_restore_rows
    WHERE "row"->>'email' = ANY (emails) OR "row"->>'user_id' = ANY (erased::text[]) OR "row"->>'actor_account_id' = ANY (erased::text[])
  ), ended AS (
    UPDATE ops.tenant_restores SET undo_until = least(undo_until, now()), rows_kept = false WHERE id IN (SELECT restore_id FROM told)
  )
  DELETE FROM ops.tenant_restore_rows WHERE restore_id IN (SELECT restore_id FROM told);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'ops.tenant_restore_rows';
  RETURN NEXT;
  -- By their ids, too: the address of then need not be that of now.
  UPDATE ops.tenant_restores r SET conflicts = NULL, accounts = NULL, error = NULL
  WHERE EXISTS (SELECT FROM unnest(emails || erased::text[]) AS known
    WHERE strpos(concat(r.conflicts, ' ', r.accounts, ' ', r.error), known) > 0);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'ops.tenant_restores';
  RETURN NEXT;

  DELETE FROM identity.refresh_tokens t USING identity.sessions s WHERE s.id = t.session_id AND s.user_id = ANY (erased);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'identity.refresh_tokens';
  RETURN NEXT;
  DELETE FROM identity.sessions s WHERE s.user_id = ANY (erased);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'identity.sessions';
  RETURN NEXT;
  DELETE FROM identity.credentials c WHERE c.user_id = ANY (erased);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'identity.credentials';
  RETURN NEXT;
  DELETE FROM identity.users u WHERE u.id = ANY (erased);
  GET DIAGNOSTICS row_count = ROW_COUNT;
  table_name := 'identity.users';
  RETURN NEXT;
  PERFORM set_config('app.tenant_id', '', true);
END
$$;

REVOKE ALL ON FUNCTION ops.erase_tenant(uuid), ops.erase_accounts(uuid[]), ops.tenants_left_by(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ops.erase_tenant(uuid), ops.erase_accounts(uuid[]), ops.tenants_left_by(uuid[]) TO tenantry_platform;

-- As in the migration before this one; `erased` are also the people who went with a tenant.
CREATE OR REPLACE FUNCTION ops.absent_accounts(account_ids uuid[], emails text[])
  RETURNS TABLE (account_id uuid, problem text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
AS $$
  SELECT wanted.id, CASE
    WHEN EXISTS (SELECT FROM ops.erasures e WHERE wanted.id = ANY (e.account_ids)) THEN 'erased'
    WHEN EXISTS (SELECT FROM identity.users taken WHERE taken.email = wanted.email) THEN 'email_taken'
    ELSE 'missing'
  END
  FROM unnest(account_ids, emails) AS wanted(id, email)
  WHERE NOT EXISTS (SELECT FROM identity.users present WHERE present.id = wanted.id)
$$;

-- An imported membership refers to the account of its person's e-mail address, made without a password if there is none.
GRANT USAGE ON SCHEMA "identity" TO tenantry_backup;
GRANT EXECUTE ON FUNCTION identity.ensure_user(uuid, text, text, text) TO tenantry_backup;
