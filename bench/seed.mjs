// Fills the database: accounts, memberships, roles, sessions and audit events of 1,000 tenants with 100 users each.
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { program } from './program.mjs';

export const TENANTS = 1_000;
export const USERS_PER_TENANT = 100;

/** The second user of each tenant is an admin, the last one a viewer: these two send the requests. */
const ADMIN = 2;
const VIEWER = USERS_PER_TENANT;

export const PASSWORD = randomBytes(18).toString('base64url');
const TOKEN_TTL_SECONDS = 3_600;

/** Held by every fifth user beside the system role. */
const CUSTOM_ROLES = [
  {
    name: 'Support',
    description: 'Sees everybody and renames them.',
    permissions: [
      { subject: 'User', action: 'read' },
      { subject: 'User', action: 'update', fields: ['name'] },
    ],
  },
  {
    name: 'Auditor',
    description: 'Reads the audit trail, but for what succeeded.',
    permissions: [{ subject: 'AuditEvent', action: 'read', conditions: { result: 'denied' } }],
  },
];

const SYSTEM_KEY_OF_USER = `CASE n WHEN 1 THEN 'owner' WHEN ${ADMIN} THEN 'admin' WHEN ${VIEWER} THEN 'viewer' ELSE 'member' END`;

/** One statement after the other; a pair is a statement with its values. The people come in an order that mixes tenants, as in life. */
const statements = ({ passwordHash, systemRoles, catalogue }) => [
  [
    `INSERT INTO app.permissions (subject, action, description)
      SELECT subject, action, description FROM json_to_recordset($1) AS c (subject text, action text, description text)`,
    [JSON.stringify(catalogue)],
  ],
  `INSERT INTO app.tenants (id, slug, name, name_key, created_at, updated_at)
    SELECT uuidv7(), 'tenant-' || t, 'Tenant ' || t, 'tenant ' || t, now() - interval '1 year', now() - interval '1 year'
    FROM generate_series(1, ${TENANTS}) t`,
  [
    `INSERT INTO app.roles (tenant_id, id, system_key, name, name_key, description)
      SELECT t.id, uuidv7(), r."systemKey", r.name, lower(r.name), r.description
      FROM app.tenants t CROSS JOIN json_to_recordset($1) AS r ("systemKey" text, name text, description text)`,
    [JSON.stringify([...systemRoles, ...CUSTOM_ROLES])],
  ],
  [
    `INSERT INTO app.role_permissions (tenant_id, id, role_id, position, subject, action, conditions, fields)
      SELECT r.tenant_id, uuidv7(), r.id, p.position - 1, p.rule->>'subject', p.rule->>'action', p.rule->'conditions',
        ARRAY(SELECT jsonb_array_elements_text(coalesce(p.rule->'fields', '[]')))
      FROM jsonb_to_recordset($1) AS c (name text, permissions jsonb)
      JOIN app.roles r ON r.name = c.name
      CROSS JOIN jsonb_array_elements(c.permissions) WITH ORDINALITY AS p (rule, position)`,
    [JSON.stringify(CUSTOM_ROLES)],
  ],
  `CREATE TEMP TABLE people AS
    SELECT n, t.id AS tenant_id, uuidv7() AS account_id, uuidv7() AS user_id, uuidv7() AS session_id,
      'user' || n || '@' || t.slug || '.example' AS email, 'User ' || n || ' of ' || t.name AS name,
      date_trunc('milliseconds', now()) - (${USERS_PER_TENANT} - n) * interval '1 day' AS joined_at
    FROM generate_series(1, ${USERS_PER_TENANT}) n CROSS JOIN app.tenants t ORDER BY n, t.id`,
  'ANALYZE people',
  `INSERT INTO identity.users (id, email, name, created_at, updated_at)
    SELECT account_id, email, name, joined_at, joined_at FROM people`,
  [
    'INSERT INTO identity.credentials (user_id, password_hash, changed_at) SELECT account_id, $1, joined_at FROM people',
    [passwordHash],
  ],
  `INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key, created_at, updated_at)
    SELECT tenant_id, user_id, account_id, email, name, lower(name), joined_at, joined_at FROM people`,
  `INSERT INTO app.membership_roles (tenant_id, membership_id, role_id, created_at)
    SELECT p.tenant_id, p.user_id, r.id, p.joined_at FROM people p
    JOIN app.roles r ON r.tenant_id = p.tenant_id
      AND (r.system_key = ${SYSTEM_KEY_OF_USER} OR n % 5 = 0 AND n <> ${VIEWER} AND r.name = 'Support')`,
  `INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, target_type, target_id, after, address)
    SELECT tenant_id, uuidv7(), joined_at, 'user.added', 'success', 'user', 'User', user_id,
      jsonb_build_object('id', user_id, 'email', email, 'name', name, 'status', 'active'), '127.0.0.1' FROM people`,
  `INSERT INTO identity.sessions (id, user_id, address, user_agent, expires_at)
    SELECT session_id, account_id, '127.0.0.1', 'bench', now() + interval '30 days' FROM people`,
  `INSERT INTO identity.refresh_tokens (token_hash, session_id)
    SELECT sha256(uuid_send(gen_random_uuid())), session_id FROM people`,
  'VACUUM ANALYZE', // or autovacuum would do it in the middle of a measurement
  'CHECKPOINT',
];

/**
 * @param {string} adminUrl of a superuser, in Tenantry's own database
 * @param {string} secretKey with which the measured Tenantry starts
 * @returns {Promise<import('./cases.mjs').Targets>}
 */
export async function seed(adminUrl, secretKey) {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    for (const statement of statements(await values())) {
      const [text, parameters] = Array.isArray(statement) ? statement : [statement];
      await client.query(text, parameters);
    }
    return { password: PASSWORD, tenants: await tenants(client, await tokenIssuer(client, secretKey)) };
  } finally {
    await client.end();
  }
}

export async function values() {
  const { CATALOGUE } = program('access/permissions');
  const { SYSTEM_ROLES } = program('access/system-roles');
  const { PasswordsService } = program('credentials/passwords.service');
  return {
    // The same for everybody: to verify it costs the same.
    passwordHash: await new PasswordsService().hash(PASSWORD),
    systemRoles: Object.entries(SYSTEM_ROLES).map(([systemKey, role]) => ({ systemKey, ...role })),
    catalogue: CATALOGUE,
  };
}

/** Stores a signing key as Tenantry would, so that 2,000 people need not sign in first. */
export async function tokenIssuer(client, secretKey) {
  const { AccessTokensService } = program('auth/access-tokens.service');
  const { generateSigningKey } = program('auth/signing-key');
  const { SecretBox } = program('config/secret-box');
  const { jwk, privateKey } = generateSigningKey();
  const sealed = new SecretBox(Buffer.from(secretKey, 'base64')).seal(
    'signing-key',
    privateKey.export({ format: 'der', type: 'pkcs8' }),
  );
  await client.query('INSERT INTO identity.signing_keys (kid, public_jwk, sealed_key) VALUES ($1, $2, $3)', [
    jwk.kid,
    jwk,
    sealed,
  ]);
  const env = { TOKEN_ISSUER: 'tenantry', ACCESS_TOKEN_TTL_SECONDS: TOKEN_TTL_SECONDS };
  const keys = { signingKey: () => Promise.resolve({ kid: jwk.kid, privateKey }) };
  return new AccessTokensService(keys, env, { now: () => new Date() });
}

async function tenants(client, issuer) {
  const { rows } = await client.query(
    `SELECT tenant_id AS id, json_agg(json_build_object('id', user_id, 'email', email) ORDER BY n) AS users,
      json_object_agg(n, json_build_array(account_id, session_id)) FILTER (WHERE n IN (${ADMIN}, ${VIEWER})) AS callers
    FROM people GROUP BY tenant_id`,
  );
  const tokenOf = async (caller) => (await issuer.issue(...caller)).accessToken;
  return Promise.all(
    rows.map(async ({ id, users, callers }) => ({
      id,
      users,
      adminToken: await tokenOf(callers[ADMIN]),
      viewerToken: await tokenOf(callers[VIEWER]),
    })),
  );
}
