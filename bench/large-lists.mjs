// The part `large-lists`: what the policies cost the server where a tenant is large, in a database of its own. As in row-security.
import { randomBytes } from 'node:crypto';
import { cpuOfBackends, ONE_CONNECTION } from './backend-cpu.mjs';
import { seedUsers } from './growth-seed.mjs';
import { openDoors } from './own-doors.mjs';
import { LIMIT, usersPage } from './pool-statements.mjs';
import { program } from './program.mjs';
import { summaryOf } from './row-security.mjs';

const { AUDIT_SORTS } = program('audit/audit-event.dto');
const { AuditEventsRepository } = program('audit/audit-events.repository');
const { orderOf } = program('common/keyset');
const { LOGIN_PURPOSES } = program('database/login-definitions');
const { bootstrapDatabase } = program('database/logins');
const { deployMigrations } = program('database/migrations');

const USERS = 200_000;
const DATABASE = 'large';
const EXTENT = { rounds: 5, queries: 200, warmUpQueries: 50 };

/** What is asked of the users, by its title in the report. @param {string} roleId which every fifth holds */
const usersQueries = (roleId) => ({
  'users, oldest first': { sort: 'createdAt' },
  'users, by name': { sort: 'name' },
  'users, by address, last first': { sort: '-email' },
  'users of a status': { sort: 'createdAt', status: 'active' },
  'the user of an address': { sort: 'createdAt', email: 'user100000@tenant-1.example' },
  'users who hold a role, 40,000': { sort: 'createdAt', roleId },
  'users found, 11': { sort: 'createdAt', q: 'user 12345' },
  'users found, all': { sort: 'createdAt', q: 'user' },
});

/** Likewise of the trail, through Prisma. */
const TRAIL_QUERIES = {
  'audit events, newest first': { sort: '-occurredAt' },
  'audit events of an action': { sort: '-occurredAt', action: 'user.added' },
};

/** @param {{ urls: Record<string, string> }} setup */
export async function measureLargeLists({ urls }) {
  const large = await makeDatabase(urls);
  const { tenants } = await seedUsers(large.superuser, randomBytes(32).toString('base64'), USERS);
  const tenantId = tenants[0].id;
  const bound = await openDoors(large, ONE_CONNECTION);
  const free = await openDoors({ ...large, app: large.superuser }, ONE_CONNECTION);
  try {
    const { rows } = await free.pool.query('SELECT id FROM app.roles WHERE tenant_id = $1 AND system_key IS NULL', [
      tenantId,
    ]);
    const asks = {};
    for (const [title, query] of Object.entries(usersQueries(rows[0].id))) {
      const { text, values } = usersPage(tenantId, query);
      asks[title] = (doors) => doors.batch(tenantId, [{ text, values }]);
    }
    const trail = new AuditEventsRepository();
    for (const [title, query] of Object.entries(TRAIL_QUERIES)) {
      const order = orderOf(AUDIT_SORTS, query.sort);
      asks[title] = (doors) =>
        doors.tenants.read(tenantId, (tx) => trail.list(tx, { limit: LIMIT, ...query }, order, {}));
    }
    const figures = {};
    for (const [title, ask] of Object.entries(asks)) {
      const ways = { with: [bound, () => ask(bound)], without: [free, () => ask(free)] };
      figures[title] = summaryOf(await cpuOfBackends(ways, EXTENT));
    }
    return { ...EXTENT, users: USERS, figures };
  } finally {
    await Promise.all([bound.close(), free.close()]);
  }
}

/** Beside the other one, under the same logins. @returns their URLs in it, and the superuser's */
async function makeDatabase(urls) {
  const passwords = Object.fromEntries(
    LOGIN_PURPOSES.map((purpose) => [purpose, decodeURIComponent(new URL(urls[purpose]).password)]),
  );
  const made = await bootstrapDatabase(urls.superuser, { database: DATABASE, passwords });
  await deployMigrations(made.urls.owner);
  const superuser = new URL(urls.superuser);
  superuser.pathname = `/${DATABASE}`;
  return { ...made.urls, superuser: superuser.href };
}
