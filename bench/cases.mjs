import { BETTER_AUTH } from './better-auth-requests.mjs';
import { json, newPerson, pick } from './request-parts.mjs';

/**
 * @typedef {object} Tenant
 * @property {string} id
 * @property {string} adminToken an access token of one who may do everything but delete the tenant
 * @property {string} viewerToken an access token of one who may only look
 * @property {string} adminCookie of the same at Better Auth
 * @property {string} viewerCookie
 * @property {{ id: string, email: string }[]} users
 *
 * @typedef {object} Targets what the requests are made of; seed.mjs fills it
 * @property {string} password of every account
 * @property {Tenant[]} tenants
 *
 * @typedef {object} Request
 * @property {'GET' | 'POST'} method
 * @property {string} path
 * @property {Record<string, string>} [headers]
 * @property {string} [body]
 *
 * @typedef {object} Case
 * @property {string} name as `--cases` takes it
 * @property {string} title
 * @property {string} peer what the peer does for it
 * @property {string} [usual] what the usual stack does for it; without it, it is not asked
 * @property {import('./better-auth-requests.mjs').OwnWay} [betterAuth] the same work there
 * @property {number} status of each answer; another one is an error
 * @property {boolean} [sameAnswer] whether Tenantry, the peer and the usual stack must give the very same body
 * @property {(targets: Targets) => Request} request another tenant and user each time, so that no cache is warmer than in life
 */

const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** @type {Case[]} */
export const CASES = [
  {
    name: 'login',
    title: 'login',
    peer: 'reads the account, verifies argon2id, inserts session and refresh token in one statement; random tokens',
    betterAuth: BETTER_AUTH.login,
    status: 200,
    request: ({ tenants, password }) => ({
      method: 'POST',
      path: '/v1/auth/login',
      ...json({ email: pick(pick(tenants).users).email, password }),
    }),
  },
  {
    name: 'get-user',
    title: 'get user',
    peer: 'one row by its primary key',
    usual: 'token verified, findUnique in a transaction of its own',
    betterAuth: BETTER_AUTH['get-user'],
    status: 200,
    sameAnswer: true,
    request: ({ tenants }) => userRequest(pick(tenants)),
  },
  {
    name: 'get-user-roles',
    title: 'get user with roles',
    peer: 'the same with the roles as JSON, three tables in one statement',
    status: 200,
    sameAnswer: true,
    request: ({ tenants }) => userRequest(pick(tenants), '?include=roles'),
  },
  {
    name: 'list-users',
    title: 'list 20 users',
    peer: 'the first page of the tenant, by time of creation, with its cursor',
    usual: 'token verified, findMany in a transaction of its own, class-transformer',
    betterAuth: BETTER_AUTH['list-users'],
    status: 200,
    sameAnswer: true,
    request: ({ tenants }) => {
      const tenant = pick(tenants);
      return { method: 'GET', path: `/v1/tenants/${tenant.id}/users?limit=20`, headers: bearer(tenant.adminToken) };
    },
  },
  {
    name: 'list-events-prisma',
    title: 'list 20 audit events through Prisma',
    peer: "the first page of the tenant's trail, newest first, with its cursor",
    usual: 'the same in a transaction of its own, class-transformer',
    status: 200,
    sameAnswer: true,
    request: ({ tenants }) => {
      const tenant = pick(tenants);
      const path = `/v1/tenants/${tenant.id}/audit-events?limit=20`;
      return { method: 'GET', path, headers: bearer(tenant.adminToken) };
    },
  },
  {
    name: 'create-user',
    title: 'create user',
    peer: 'account, membership and audit event in one statement',
    usual: 'token verified, input validated; account, membership and audit event one after the other, so not atomic',
    betterAuth: BETTER_AUTH['create-user'],
    status: 201,
    request: ({ tenants }) => {
      const tenant = pick(tenants);
      const { headers, body } = json(newPerson());
      return {
        method: 'POST',
        path: `/v1/tenants/${tenant.id}/users`,
        headers: { ...headers, ...bearer(tenant.adminToken) },
        body,
      };
    },
  },
  {
    name: 'check-permission',
    title: 'check permissions',
    peer: 'the user, the held roles and what they permit in one statement; what system roles permit is in its code, too',
    betterAuth: BETTER_AUTH['check-permission'],
    status: 200,
    sameAnswer: true,
    request: ({ tenants }) => userRequest(pick(tenants), '/permissions'),
  },
  {
    name: 'refusal',
    title: 'permission refusal',
    peer: "reads the tenant's row and answers 403; Tenantry also records the refusal in the audit trail",
    betterAuth: BETTER_AUTH.refusal,
    status: 403,
    request: ({ tenants }) => {
      const tenant = pick(tenants);
      return { method: 'GET', path: `/v1/tenants/${tenant.id}/audit-events`, headers: bearer(tenant.viewerToken) };
    },
  },
];

/** @returns {Request} */
function userRequest(tenant, rest = '') {
  const path = `/v1/tenants/${tenant.id}/users/${pick(tenant.users).id}${rest}`;
  return { method: 'GET', path, headers: bearer(tenant.adminToken) };
}
