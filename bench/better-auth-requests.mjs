// The same work asked of Better Auth, in its own routes. The ids are Tenantry's: an organization is a tenant, a user a user.
import { json, newPerson, pick } from './request-parts.mjs';

/** What a browser would send and Better Auth trusts: its base URL. Nothing is asked there. */
export const ORIGIN = 'http://bench.example';

const API = '/api/auth';

/** @returns {import('./cases.mjs').Request} */
const get = (path, cookie) => ({ method: 'GET', path: `${API}${path}`, headers: { cookie } });

/** @returns {import('./cases.mjs').Request} */
function post(path, content, cookie) {
  const { headers, body } = json(content);
  return { method: 'POST', path, headers: { ...headers, origin: ORIGIN, ...(cookie && { cookie }) }, body };
}

const hasPermission = (organizationId, cookie) =>
  post(`${API}/organization/has-permission`, { organizationId, permissions: { member: ['delete'] } }, cookie);

/**
 * @typedef {object} OwnWay
 * @property {string} does
 * @property {number} status
 * @property {(answer: any) => boolean} isRight whether the answer holds what was asked for
 * @property {(targets: import('./cases.mjs').Targets) => import('./cases.mjs').Request} request
 */

/** By the name of the case. @type {Record<string, OwnWay>} */
export const BETTER_AUTH = {
  login: {
    does: 'POST /sign-in/email, with argon2id as the others',
    status: 200,
    isRight: ({ token }) => Boolean(token),
    request: ({ tenants, password }) =>
      post(`${API}/sign-in/email`, { email: pick(pick(tenants).users).email, password }),
  },
  'get-user': {
    does: 'GET /organization/list-members filtered by a user id, as it has no route for one member of another person',
    status: 200,
    isRight: ({ members }) => members.length === 1,
    request: ({ tenants }) => {
      const { id, adminCookie, users } = pick(tenants);
      const filter = `limit=1&filterField=userId&filterValue=${pick(users).id}`;
      return get(`/organization/list-members?organizationId=${id}&${filter}`, adminCookie);
    },
  },
  'list-users': {
    does: 'GET /organization/list-members with limit=20; it counts all, too',
    status: 200,
    isRight: ({ members }) => members.length === 20,
    request: ({ tenants }) => {
      const { id, adminCookie } = pick(tenants);
      const order = 'sortBy=createdAt&sortDirection=asc';
      return get(`/organization/list-members?organizationId=${id}&limit=20&${order}`, adminCookie);
    },
  },
  'create-user': {
    does: 'a route around its API: hasPermission, then the user, then addMember; no audit event',
    status: 201,
    isRight: ({ user, userId }) => userId === user.id,
    request: ({ tenants }) => {
      const { id, adminCookie } = pick(tenants);
      return post('/members', { organizationId: id, ...newPerson() }, adminCookie);
    },
  },
  'check-permission': {
    does: 'POST /organization/has-permission of an admin, which answers yes or no to one question about the caller',
    status: 200,
    isRight: ({ success }) => success === true,
    request: ({ tenants }) => {
      const { id, adminCookie } = pick(tenants);
      return hasPermission(id, adminCookie);
    },
  },
  refusal: {
    does: 'POST /organization/has-permission of a plain member, which answers that it may not; records nothing',
    status: 200,
    isRight: ({ success }) => success === false,
    request: ({ tenants }) => {
      const { id, viewerCookie } = pick(tenants);
      return hasPermission(id, viewerCookie);
    },
  },
};
