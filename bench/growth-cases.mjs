// The requests whose cost must not grow with the database. load.mjs asks for them by `orderOf`.
import { json, pick } from './request-parts.mjs';

/**
 * @typedef {object} GrowthCase
 * @property {string} name
 * @property {string} title
 * @property {'known' | 'everybody'} who sends it: the same number of callers at each size, or any of all there are
 */

/** So many callers come again and again, at each size: those who are at work within some minutes. */
export const WORKING_SET = 200;

const bearer = (token) => ({ authorization: `Bearer ${token}` });

const asked = (title, pathOf) => ({
  title,
  status: 200,
  request: (targets, { tenant: place, token }) => {
    const tenant = targets.tenants[place];
    return { method: 'GET', path: `/v1/tenants/${tenant.id}/users${pathOf(tenant)}`, headers: bearer(token) };
  },
});

const REQUESTS = {
  'get-user': asked('get a user', ({ userIds }) => `/${pick(userIds)}`),
  'list-users': asked('list 20 users', () => '?limit=20'),
  check: asked("check: a user's effective permissions", ({ userIds }) => `/${pick(userIds)}/permissions`),
  'sign-in': {
    title: 'sign in',
    status: 200,
    request: ({ emails, password }) => ({
      method: 'POST',
      path: '/v1/auth/login',
      ...json({ email: pick(emails), password }),
    }),
  },
};

/** @type {GrowthCase[]} */
export const KNOWN_CASES = Object.entries(REQUESTS).map(([name, { title }]) => ({ name, title, who: 'known' }));

/** Whoever signs in is no caller yet, so that case is there once. @type {GrowthCase[]} */
export const EVERYBODY_CASES = KNOWN_CASES.filter(({ name }) => name !== 'sign-in').map(({ name, title }) => ({
  name: `${name}-by-everybody`,
  title: `${title}, by any of all callers`,
  who: 'everybody',
}));

/** Each caller in turn, for the warm-up: whatever a server keeps of callers, it then has. */
const VISIT = 'visit';
let visited = 0;

/** As `candidates.mjs` has it, for the load generator. */
export function orderOf(caseName) {
  if (caseName === VISIT) {
    const request = (targets) => {
      visited += 1;
      return REQUESTS['get-user'].request(targets, targets.callers[visited % targets.callers.length]);
    };
    return { status: 200, request };
  }
  const [name, everybody] = caseName.split('-by-');
  const { status, request } = REQUESTS[name];
  return { status, request: (targets) => request(targets, callerOf(targets, everybody !== undefined)) };
}

/** Those of the working set stand apart, so that they share pages of the database as little as callers do in life. */
function callerOf({ callers }, isAnybody) {
  if (isAnybody) return pick(callers);
  const step = Math.max(1, Math.floor(callers.length / WORKING_SET));
  return callers[Math.floor(Math.random() * Math.min(WORKING_SET, callers.length)) * step];
}
