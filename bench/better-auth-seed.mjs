// Better Auth's own database on the same server, by its own migration, filled with the same organizations and people.
import { createHmac } from 'node:crypto';
import { getMigrations } from 'better-auth/db/migration';
import pg from 'pg';
import { createBetterAuth } from './better-auth-setup.mjs';

const DATABASE = 'better_auth';

/** As many sessions as Tenantry has: one for each person. Its token is made of the user's id. */
const STATEMENTS = [
  `CREATE TEMP TABLE people AS
    SELECT * FROM jsonb_to_recordset($1) AS p (n int, tenant_id text, id text, email text, role text)`,
  `INSERT INTO organization (id, name, slug, "createdAt") SELECT DISTINCT tenant_id, tenant_id, tenant_id, now() FROM people`,
  `INSERT INTO "user" (id, name, email, "emailVerified") SELECT id, 'User ' || n, email, true FROM people`,
  `INSERT INTO account (id, "accountId", "providerId", "userId", password, "updatedAt")
    SELECT gen_random_uuid(), id, 'credential', id, $1, now() FROM people`,
  `INSERT INTO member (id, "organizationId", "userId", role, "createdAt")
    SELECT gen_random_uuid(), tenant_id, id, role, now() + n * interval '1 ms' FROM people`,
  `INSERT INTO session (id, "userId", token, "expiresAt", "updatedAt")
    SELECT gen_random_uuid(), id, 'bench-' || id, now() + interval '7 days', now() FROM people`,
  'VACUUM ANALYZE',
  'CHECKPOINT',
];

/**
 * @param {string} adminUrl of a superuser, in Tenantry's database, whose password hash is taken
 * @param {string} secret that signs the cookies
 * @param {import('./cases.mjs').Targets} targets gets the callers' cookies
 * @returns {Promise<string>} the new database's URL
 */
export async function seedBetterAuth(adminUrl, secret, targets) {
  const passwordHash = await within(adminUrl, async (client) => {
    await client.query(`CREATE DATABASE ${DATABASE}`);
    return (await client.query('SELECT password_hash FROM identity.credentials LIMIT 1')).rows[0].password_hash;
  });
  const url = new URL(adminUrl);
  url.pathname = `/${DATABASE}`;
  const auth = createBetterAuth(url.href, secret);
  await (await getMigrations(auth.options)).runMigrations();
  const { authCookies } = await auth.$context;
  await auth.options.database.end();

  await within(url.href, async (client) => {
    for (const statement of STATEMENTS) {
      const value = statement.includes('jsonb_to_recordset') ? JSON.stringify(peopleOf(targets)) : passwordHash;
      await client.query(statement, statement.includes('$1') ? [value] : []);
    }
  });
  for (const tenant of targets.tenants) {
    const cookieOf = (user) =>
      `${authCookies.sessionToken.name}=${encodeURIComponent(signed(`bench-${user.id}`, secret))}`;
    const [, admin] = tenant.users;
    tenant.adminCookie = cookieOf(admin);
    tenant.viewerCookie = cookieOf(tenant.users.at(-1));
  }
  return url.href;
}

/** Its roles: the first user owns, the second (who sends the requests) is an admin, the others are members. */
function peopleOf({ tenants }) {
  return tenants.flatMap(({ id: tenantId, users }) =>
    users.map(({ id, email }, n) => ({ n, tenant_id: tenantId, id, email, role: ['owner', 'admin'][n] ?? 'member' })),
  );
}

const signed = (token, secret) => `${token}.${createHmac('sha256', secret).update(token).digest('base64')}`;

async function within(connectionString, work) {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
