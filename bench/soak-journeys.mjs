// What people and machines do with Tenantry, each as often as its weight says. soak-load.mjs walks them.
import { randomUUID } from 'node:crypto';
import { newPerson, pick } from './request-parts.mjs';

/**
 * @typedef {object} Visitor
 * @property {import('./growth-seed.mjs').Targets} targets `callers[0]` is a platform administrator, too
 * @property {(order: { method?: string, path: string, token?: string, body?: object, headers?: Record<string, string>,
 *   status: number, gone?: boolean }) => Promise<{ body: any, etag: string }>} send
 *   fails on another status; `gone`: hangs up without waiting for the answer
 */

/** A caller, and where his tenant is. */
function someCaller({ callers, tenants }) {
  const { token, tenant } = pick(callers);
  const { id, userIds } = tenants[tenant];
  return { token, base: `/v1/tenants/${id}`, userId: pick(userIds) };
}

const READS = [
  (base, userId) => `${base}/users/${userId}`,
  (base, userId) => `${base}/users/${userId}?include=roles`,
  (base, userId) => `${base}/users/${userId}/roles`,
  (base, userId) => `${base}/users/${userId}/permissions`,
  (base) => `${base}/users?limit=20`,
  (base) => `${base}/users?q=user&sort=name&include=roles`,
  (base) => `${base}/roles`,
  (base) => `${base}/audit-events?limit=20`,
  (base) => base,
  () => '/v1/auth/me',
  () => '/v1/auth/sessions',
  () => '/v1/tenants',
  () => '/v1/permissions',
];

const OPERATOR_READS = [
  '/v1/platform/accounts?limit=50',
  '/v1/platform/audit-events',
  '/v1/platform/database/size',
  '/v1/platform/erasures',
  '/v1/tenants?limit=50',
  '/health',
];

/** Each with the answer that is right; `path` of a caller's tenant. */
const REFUSALS = [
  (base) => ({ path: `${base}/users/not-an-id`, status: 422 }),
  (base) => ({ path: `${base}/users/${randomUUID()}`, status: 404 }),
  (base) => ({ path: `${base}/nowhere`, status: 404 }),
  (base) => ({ path: `${base}/users`, token: 'ey.made.up', status: 401 }),
  (base) => ({ method: 'POST', path: `${base}/users`, body: { email: 'nobody', surprise: true }, status: 422 }),
  (base) => ({ method: 'POST', path: `${base}/roles`, body: { name: 'Owner', permissions: [] }, status: 409 }),
  (base) => ({ method: 'PATCH', path: base, body: { name: 'X' }, headers: { 'if-match': '"999"' }, status: 412 }),
  () => ({ path: `/v1/tenants/${randomUUID()}/users`, status: 404 }),
  () => ({ path: '/v1/platform/accounts', status: 403 }),
];

/** @type {Record<string, { weight: number, walk: (visitor: Visitor) => Promise<void> }>} */
export const JOURNEYS = {
  reads: {
    weight: 70,
    async walk({ targets, send }) {
      const { token, base, userId } = someCaller(targets);
      await send({ path: pick(READS)(base, userId), token, status: 200 });
    },
  },

  /** Comes, is renamed, gets a role, is suspended, leaves. */
  user: {
    weight: 6,
    async walk({ targets, send }) {
      const { token, base } = someCaller(targets);
      const headers = { 'idempotency-key': randomUUID() };
      const { body: roles } = await send({ path: `${base}/roles?limit=50`, token, status: 200 });
      const { body } = await send({
        method: 'POST',
        path: `${base}/users`,
        token,
        headers,
        body: newPerson(),
        status: 201,
      });
      const path = `${base}/users/${body.id}`;
      const { etag } = await send({ path, token, status: 200 });
      const ifMatch = { 'if-match': etag };
      await send({ method: 'PATCH', path, token, body: { name: 'Renamed' }, headers: ifMatch, status: 200 });
      const { id: roleId } = roles.data.find(({ system }) => system === 'viewer');
      await send({ method: 'PUT', path: `${path}/roles/${roleId}`, token, body: {}, status: 200 });
      await send({ method: 'PATCH', path, token, body: { status: 'suspended' }, status: 200 });
      await send({ method: 'DELETE', path, token, status: 204 });
    },
  },

  role: {
    weight: 3,
    async walk({ targets, send }) {
      const { token, base } = someCaller(targets);
      const permissions = [{ subject: 'User', action: 'update', fields: ['name'] }];
      const body = { name: `Role ${randomUUID()}`, permissions };
      const { body: role } = await send({ method: 'POST', path: `${base}/roles`, token, body, status: 201 });
      const path = `${base}/roles/${role.id}`;
      const ifMatch = (etag) => ({ headers: { 'if-match': etag } });
      const change = { method: 'PATCH', path, token, body: { description: 'Changed' }, status: 200 };
      const { etag } = await send({ ...change, ...ifMatch('"1"') });
      await send({ method: 'DELETE', path, token, status: 204, ...ifMatch(etag) });
    },
  },

  /** Some do not sign out: their session stays. */
  session: {
    weight: 4,
    async walk({ targets: { emails, password }, send }) {
      const body = { email: pick(emails), password };
      const { body: first } = await send({ method: 'POST', path: '/v1/auth/login', body, status: 200 });
      await send({ path: '/v1/auth/me', token: first.accessToken, status: 200 });
      const { refreshToken } = first;
      const { body: tokens } = await send({
        method: 'POST',
        path: '/v1/auth/refresh',
        body: { refreshToken },
        status: 200,
      });
      const token = tokens.accessToken;
      if (Math.random() < 0.5) await send({ method: 'POST', path: '/v1/auth/logout', token, status: 204 });
    },
  },

  refusals: {
    weight: 10,
    async walk({ targets, send }) {
      const { token, base } = someCaller({ ...targets, callers: targets.callers.slice(1) });
      await send({ token, ...pick(REFUSALS)(base) });
    },
  },

  operator: {
    weight: 3,
    async walk({ targets, send }) {
      await send({ path: pick(OPERATOR_READS), token: targets.callers[0].token, status: 200 });
      await send({ path: '/metrics', token: targets.metricsToken, status: 200 });
    },
  },

  /** A tenant, and a person whose first password is judged and hashed. */
  opening: {
    weight: 1,
    async walk({ targets, send }) {
      const { token } = targets.callers[0];
      const body = { name: 'Opened', slug: `opened-${randomUUID()}`, owner: newPerson() };
      const { body: tenant } = await send({ method: 'POST', path: '/v1/tenants', token, body, status: 201 });
      const path = `/v1/tenants/${tenant.id}`;
      const person = { ...newPerson(), password: `violet lantern ${randomUUID()}` };
      await send({ method: 'POST', path: `${path}/users`, token, body: person, status: 201 });
      await send({ method: 'DELETE', path, token, status: 204 });
    },
  },

  hangUps: {
    weight: 3,
    async walk({ targets, send }) {
      const { token, base, userId } = someCaller(targets);
      const order = Math.random() < 0.5 ? {} : { method: 'POST', body: newPerson() };
      const path = order.method ? `${base}/users` : READS[1](base, userId);
      await send({ ...order, path, token, gone: true, status: 0 });
    },
  },
};
