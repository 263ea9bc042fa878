import { ApiError } from './api-client.mjs';
import { EXPIRY_DAYS } from './data-set.mjs';

/** Requests under way at the same time: few, since the server may be a laptop that somebody works on. */
const CONCURRENCY = 4;
const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Brings the data set into Tenantry, and leaves alone what is there already: it can be run again, also after a run that
 * was cut off.
 * @param {import('./api-client.mjs').ApiClient} api of a platform administrator
 * @param {import('./data-set.mjs').DemoTenant[]} tenants
 * @param {string} password of those who sign in
 * @param {(line: string) => void} say
 * @returns {Promise<number>} how many things it made or changed
 */
export async function fill(api, tenants, password, say) {
  // All tenants first: an owner may be a user of another one, and gets the password with the account.
  const places = [];
  for (const tenant of tenants) places.push(await ensureTenant(api, tenant, password));
  let changes = places.filter(({ isNew }) => isNew).length;
  for (const [index, tenant] of tenants.entries()) {
    const changed = await fillTenant(api, places[index].path, tenant, password);
    changes += changed;
    say(`  ${tenant.name}: ${tenant.users.length + 1} users, ${changed === 0 ? 'there already' : 'ready'}`);
  }
  return changes;
}

async function fillTenant(api, path, tenant, password) {
  const roles = new Map();
  for await (const role of api.list(`${path}/roles?fields=name`)) roles.set(role.name, role.id);
  const missing = tenant.roles.filter(({ name }) => !roles.has(name));
  for (const role of missing) roles.set(role.name, (await api.post(`${path}/roles`, role)).id);

  const present = new Map();
  for await (const user of api.list(`${path}/users?fields=email,status&include=roles`)) present.set(user.email, user);
  let changes = missing.length;
  await forEach(tenant.users, CONCURRENCY, async (user) => {
    const changed = await ensureUser({ api, path, roles, password }, user, present.get(user.email));
    changes += changed; // after the wait: in one expression, workers would overwrite each other's sums
  });
  return changes;
}

/** @returns {Promise<{ path: string, isNew: boolean }>} */
async function ensureTenant(api, { slug, name, owner }, password) {
  const present = await findTenant(api, slug, '');
  if (present) return { path: `/v1/tenants/${present.id}`, isNew: false };
  const deleted = await findTenant(api, slug, '&deleted=only');
  if (deleted) {
    await api.post(`/v1/tenants/${deleted.id}/restore`);
    return { path: `/v1/tenants/${deleted.id}`, isNew: true };
  }
  const made = await withPassword(password, (given) =>
    api.post('/v1/tenants', { slug, name, owner: { email: owner.email, name: owner.name, ...given } }),
  );
  return { path: `/v1/tenants/${made.id}`, isNew: true };
}

async function findTenant(api, slug, filter) {
  for await (const tenant of api.list(`/v1/tenants?q=${slug}&fields=slug${filter}`)) {
    if (tenant.slug === slug) return tenant;
  }
  return undefined;
}

/** @returns {Promise<number>} how many changes it took */
async function ensureUser({ api, path, roles, password }, user, present) {
  let changes = 0;
  const roleIds = user.roles.map((name) => roles.get(name));
  const add = (given) => api.post(`${path}/users`, { email: user.email, name: user.name, roleIds, ...given });
  if (!present) changes += 1;
  const { id, status, roles: held } = present ?? (await (user.signsIn ? withPassword(password, add) : add({})));
  if (user.expiringRole && !held?.some(({ name }) => name === user.expiringRole)) {
    const expiresAt = new Date(Date.now() + EXPIRY_DAYS * DAY_MS).toISOString();
    await api.put(`${path}/users/${id}/roles/${roles.get(user.expiringRole)}`, { expiresAt });
    changes += 1;
  }
  if (user.suspended && status !== 'suspended') {
    await api.patch(`${path}/users/${id}`, { status: 'suspended' });
    changes += 1;
  }
  return changes;
}

/** Only a new account takes a password; one that is left of a former tenant has its own. */
async function withPassword(password, make) {
  try {
    return await make({ password });
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'account_exists') throw error;
    return make({});
  }
}

/** Does the work for each item, at most `limit` at a time. */
async function forEach(items, limit, work) {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}
