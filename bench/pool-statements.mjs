// What the parts beneath HTTP ask: Tenantry's own reviewed SQL, and a row with its audit event.
import { program } from './program.mjs';
import { pick } from './request-parts.mjs';

const { newId } = program('common/id');
const { orderOf } = program('common/keyset');
const { USER_SORTS } = program('users/user.dto');
const { usersStatement } = program('users/user-list-statements.repository');
const { userStatement } = program('users/user-statements.repository');

export const LIMIT = 20;
/** The condition of one who may read every row. */
const ALL = { AND: [{}] };

/** @typedef {{ tenantId: string, userId: string }} Target */

/** @returns {Target} */
export function anyTarget({ tenants }) {
  const { id, users } = pick(tenants);
  return { tenantId: id, userId: pick(users).id };
}

/** @param {Target} target */
export const getStatement = ({ tenantId, userId }) =>
  userStatement(tenantId, userId, ALL, { roles: 'named', now: new Date() });

/** @param {Target} target */
export const listStatement = ({ tenantId }) => usersPage(tenantId, { sort: 'createdAt' });

/** @param {{ sort: string }} query and filters */
export const usersPage = (tenantId, query) =>
  usersStatement({
    tenantId,
    query: { limit: LIMIT, ...query },
    order: orderOf(USER_SORTS, query.sort),
    accessible: { users: ALL, roles: ALL },
    now: new Date(),
  });

const INSERT_ROLE = 'INSERT INTO app.roles (tenant_id, id, name, name_key, description) VALUES ($1, $2, $3, $4, $5)';
const INSERT_EVENT = `INSERT INTO audit.events
  (tenant_id, target_id, id, occurred_at, action, result, actor_type, target_type, after, address)`;

/** A role and the audit event of its creation: as two statements, and as one with the same values. */
export function insertStatements({ tenantId }) {
  const [roleId, eventId] = [newId(), newId()];
  const role = [tenantId, roleId, `Role ${roleId}`, `role ${roleId}`, 'Of the benchmark'];
  const event = [eventId, new Date(), 'role.created', 'success', 'user', 'Role', { id: roleId }, '127.0.0.1'];
  return {
    roleId,
    eventId,
    batch: [
      { text: INSERT_ROLE, values: role },
      {
        text: `${INSERT_EVENT} VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        values: [tenantId, roleId, ...event],
      },
    ],
    whole: {
      text: `WITH role AS (${INSERT_ROLE} RETURNING tenant_id, id)
        ${INSERT_EVENT} SELECT tenant_id, id, $6, $7, $8, $9, $10, $11, $12, $13 FROM role`,
      values: [...role, ...event],
    },
  };
}
