// Fills databases that differ in one thing, their size: as many tenants, or as many users in one tenant.
import pg from 'pg';
import { PASSWORD, tokenIssuer, values } from './seed.mjs';

/** Of every tenant but the large one. */
export const USERS_PER_TENANT = 3;
/** Beside the large tenant: PostgreSQL's statistics then know both kinds, as in life. */
const SMALL_TENANTS = 1_000;
/** How many of the large tenant's users send the requests: admins, as are the second and third user of each small one. */
const CALLERS_OF_LARGE = 200;

/**
 * @typedef {object} Targets what the requests are made of
 * @property {string} password of every account
 * @property {string[]} emails of everybody who may sign in
 * @property {{ id: string, userIds: string[] }[]} tenants
 * @property {{ tenant: number, token: string }[]} callers `tenant`: its place among the tenants
 */

const statements = ({ passwordHash, systemRoles, catalogue }, { tenants, largest }) => [
  'SET session_replication_role = replica', // no foreign key is checked: everything is made from one table
  `SET work_mem = '256MB'`,
  [
    `INSERT INTO app.permissions (subject, action, description)
      SELECT subject, action, description FROM json_to_recordset($1) AS c (subject text, action text, description text)`,
    [JSON.stringify(catalogue)],
  ],
  `INSERT INTO app.tenants (id, slug, name, name_key, created_at, updated_at)
    SELECT uuidv7(), 'tenant-' || t, 'Tenant ' || t, 'tenant ' || t, now() - interval '1 year', now() - interval '1 year'
    FROM generate_series(1, ${tenants}) t`,
  [
    `INSERT INTO app.roles (tenant_id, id, system_key, name, name_key, description)
      SELECT t.id, uuidv7(), r."systemKey", r.name, lower(r.name), r.description
      FROM app.tenants t CROSS JOIN json_to_recordset($1) AS r ("systemKey" text, name text, description text)`,
    [JSON.stringify([...systemRoles, { name: 'Support', description: 'Sees everybody.' }])],
  ],
  `INSERT INTO app.role_permissions (tenant_id, id, role_id, position, subject, action, fields)
    SELECT tenant_id, uuidv7(), id, 0, 'User', 'read', '{}' FROM app.roles WHERE system_key IS NULL`,
  // In an order that mixes tenants, as in life. The first tenant is the large one, where there is one.
  `CREATE TEMP TABLE people AS
    SELECT n, t.slug, t.id AS tenant_id, uuidv7() AS account_id, uuidv7() AS user_id, uuidv7() AS session_id,
      'user' || n || '@' || t.slug || '.example' AS email, 'User ' || n || ' of ' || t.name AS name,
      date_trunc('milliseconds', now()) - interval '1 year' + n * interval '1 minute' AS joined_at
    FROM app.tenants t
    CROSS JOIN LATERAL generate_series(1, CASE t.slug WHEN 'tenant-1' THEN ${largest} ELSE ${USERS_PER_TENANT} END) n
    ORDER BY n, t.id`,
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
    JOIN app.roles r ON r.tenant_id = p.tenant_id AND (
      r.system_key = CASE WHEN n = 1 THEN 'owner' WHEN n <= 1 + ${CALLERS_OF_LARGE} THEN 'admin' ELSE 'member' END
      OR n % 5 = 0 AND r.system_key IS NULL)`,
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

/** @param {number} size how many tenants. @returns {Promise<Targets>} a caller in each */
export const seedTenants = (adminUrl, secretKey, size) =>
  seed(adminUrl, secretKey, { tenants: size, largest: USERS_PER_TENANT }, 'n = 2', 'true');

/** @param {number} size how many users in one tenant. @returns {Promise<Targets>} callers and targets in that one alone */
export const seedUsers = (adminUrl, secretKey, size) =>
  seed(
    adminUrl,
    secretKey,
    { tenants: SMALL_TENANTS, largest: size },
    `n BETWEEN 2 AND 1 + ${CALLERS_OF_LARGE}`,
    `slug = 'tenant-1'`,
  );

async function seed(adminUrl, secretKey, sizes, areCallers, areTargets) {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    for (const statement of statements(await values(), sizes)) {
      const [text, parameters] = Array.isArray(statement) ? statement : [statement];
      await client.query(text, parameters);
    }
    const { rows: people } = await client.query(
      `SELECT tenant_id, user_id, account_id, session_id, email, ${areCallers} AS is_caller FROM people WHERE ${areTargets} ORDER BY tenant_id`,
    );
    return await toTargets(people, await tokenIssuer(client, secretKey));
  } finally {
    await client.end();
  }
}

/** @returns {Promise<Targets>} */
async function toTargets(people, issuer) {
  const tenants = [];
  const callers = [];
  for (const person of people) {
    if (tenants.at(-1)?.id !== person.tenant_id) tenants.push({ id: person.tenant_id, userIds: [] });
    tenants.at(-1).userIds.push(person.user_id);
    if (!person.is_caller) continue;
    const { accessToken } = await issuer.issue(person.account_id, person.session_id);
    callers.push({ tenant: tenants.length - 1, token: accessToken });
  }
  return { password: PASSWORD, emails: people.map(({ email }) => email), tenants, callers };
}
