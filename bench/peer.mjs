// The peer: what somebody writes who needs these answers fast and nothing else. Plain Fastify, plain pg with prepared
// statements, response schemas; no authentication, no row-level security (it connects as a superuser), no checks.
// Started by servers.mjs with POSTGRES_URL; it sends its URL to its parent once it listens.
import { createHash, randomBytes } from 'node:crypto';
import { verify } from '@node-rs/argon2';
import pg from 'pg';
import { v7 as newId } from 'uuid';
import { answers } from './peer-answers.mjs';
import { nestsFastify, program } from './program.mjs';

/** As many as Tenantry's pool for tenants (POSTGRES_POOL_SIZE). */
const POOL_SIZE = 10;
const SESSION_DAYS = 30;
const { SYSTEM_ROLES } = program('access/system-roles');

const USER = 'm.id, m.email, m.name, m.status, m.version, m.created_at AS "createdAt", m.updated_at AS "updatedAt"';

const SQL = {
  account: `SELECT u.id, u.status, c.password_hash AS "passwordHash"
    FROM identity.users u JOIN identity.credentials c ON c.user_id = u.id WHERE u.email = $1`,
  session: `WITH session AS (
      INSERT INTO identity.sessions (id, user_id, address, user_agent, expires_at)
      VALUES ($1, $2, $3, $4, now() + $5 * interval '1 day') RETURNING id
    ) INSERT INTO identity.refresh_tokens (token_hash, session_id) SELECT $6, id FROM session`,
  user: `SELECT ${USER} FROM app.memberships m WHERE m.tenant_id = $1 AND m.id = $2`,
  userWithRoles: `SELECT ${USER}, coalesce((
      SELECT json_agg(json_build_object('id', r.id, 'name', r.name, 'system', r.system_key, 'expiresAt', mr.expires_at) ORDER BY r.id)
      FROM app.membership_roles mr JOIN app.roles r ON r.tenant_id = $1 AND r.id = mr.role_id
      WHERE mr.tenant_id = $1 AND mr.membership_id = m.id AND (mr.expires_at IS NULL OR mr.expires_at > now())
    ), '[]') AS roles FROM app.memberships m WHERE m.tenant_id = $1 AND m.id = $2`,
  permissions: `SELECT m.status, coalesce((
      SELECT json_agg(json_build_object('id', r.id, 'name', r.name, 'system', r.system_key, 'permissions', (
        SELECT json_agg(json_build_object('subject', rp.subject, 'action', rp.action, 'conditions', rp.conditions, 'fields', rp.fields,
          'inverted', rp.inverted) ORDER BY rp.position) FROM app.role_permissions rp WHERE rp.tenant_id = $1 AND rp.role_id = r.id
      )) ORDER BY r.id)
      FROM app.membership_roles mr JOIN app.roles r ON r.tenant_id = $1 AND r.id = mr.role_id
      WHERE mr.tenant_id = $1 AND mr.membership_id = m.id AND (mr.expires_at IS NULL OR mr.expires_at > now())
    ), '[]') AS roles FROM app.memberships m WHERE m.tenant_id = $1 AND m.id = $2`,
  users: `SELECT ${USER} FROM app.memberships m WHERE m.tenant_id = $1 ORDER BY m.created_at, m.id LIMIT $2`,
  events: `SELECT id, occurred_at AS "occurredAt", action, result,
      json_build_object('type', actor_type, 'userId', actor_user_id) AS actor,
      CASE WHEN target_id IS NOT NULL THEN json_build_object('type', target_type, 'id', target_id) END AS target,
      before, after, address, user_agent AS "userAgent", request_id AS "requestId"
    FROM audit.events e WHERE e.tenant_id = $1 ORDER BY e.occurred_at DESC, e.id DESC LIMIT $2`,
  create: `WITH account AS (
      INSERT INTO identity.users (id, email, name) VALUES ($1, $2, $3) RETURNING id
    ), membership AS (
      INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key)
      SELECT $4, $5, id, $2, $3, $6 FROM account
      RETURNING id, email, name, status, version, created_at AS "createdAt", updated_at AS "updatedAt"
    ), event AS (
      INSERT INTO audit.events (tenant_id, id, occurred_at, action, result, actor_type, target_type, target_id, after, address, request_id)
      SELECT $4, $7, now(), 'user.added', 'success', 'user', 'User', id, to_jsonb(membership), $8, $9 FROM membership
    ) SELECT * FROM membership`,
  tenant: 'SELECT status FROM app.tenants WHERE id = $1',
};

const pool = new pg.Pool({ connectionString: process.env.POSTGRES_URL, max: POOL_SIZE });
const query = async (name, values) => (await pool.query({ name, text: SQL[name], values })).rows;

const peer = nestsFastify()();

peer.post('/v1/auth/login', { schema: { response: answers.tokens } }, async (request, reply) => {
  const [account] = await query('account', [request.body.email]);
  if (account?.status !== 'active' || !(await verify(account.passwordHash, request.body.password))) {
    return reply.status(401).send({ title: 'Unauthorized' });
  }
  const refreshToken = `rt_${randomBytes(32).toString('base64url')}`;
  const hash = createHash('sha256').update(refreshToken).digest();
  const userAgent = request.headers['user-agent'] ?? '';
  await query('session', [newId(), account.id, request.ip, userAgent, SESSION_DAYS, hash]);
  return {
    accessToken: randomBytes(32).toString('base64url'),
    refreshToken,
    tokenType: 'Bearer',
    expiresIn: 600,
  };
});

peer.get('/v1/tenants/:tenantId/users/:userId', { schema: { response: answers.user } }, async (request, reply) => {
  const { tenantId, userId } = request.params;
  const [user] = await query(request.query.include === 'roles' ? 'userWithRoles' : 'user', [tenantId, userId]);
  return user ?? reply.status(404).send({ title: 'Not Found' });
});

peer.get(
  '/v1/tenants/:tenantId/users/:userId/permissions',
  { schema: { response: answers.permissions } },
  async (request, reply) => {
    const { tenantId, userId } = request.params;
    const [user] = await query('permissions', [tenantId, userId]);
    if (!user) return reply.status(404).send({ title: 'Not Found' });
    const data = user.roles.flatMap(({ permissions, ...role }) =>
      permissionsOf(role.system, permissions).map((permission) => ({ ...permission, role })),
    );
    return { data: user.status === 'active' ? data : [] };
  },
);

/** A rule leaves out what says nothing. */
const permissionsOf = (system, stored) =>
  system
    ? SYSTEM_ROLES[system].permissions
    : stored.map(({ subject, action, conditions, fields, inverted }) => ({
        subject,
        action,
        ...(conditions && { conditions }),
        ...(fields.length > 0 && { fields }),
        ...(inverted && { inverted }),
      }));

peer.get('/v1/tenants/:tenantId/users', { schema: { response: answers.users } }, async (request) => {
  const limit = Number(request.query.limit);
  return pageOf(await query('users', [request.params.tenantId, limit + 1]), limit, 'createdAt');
});

function pageOf(rows, limit, order) {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  const nextCursor =
    rows.length > limit ? Buffer.from(JSON.stringify([order, last[order], last.id])).toString('base64url') : null;
  return { data, page: { nextCursor } };
}

peer.post('/v1/tenants/:tenantId/users', { schema: { response: answers.user } }, async (request, reply) => {
  const { email, name } = request.body;
  const ids = { account: newId(), user: newId(), event: newId() };
  const [user] = await query('create', [
    ids.account,
    email,
    name,
    request.params.tenantId,
    ids.user,
    name.toLowerCase(),
    ids.event,
    request.ip,
    request.id,
  ]);
  return reply.status(201).send(user);
});

const eventsOrRefusal = { schema: { response: { ...answers.events, ...answers.problem } } };

/** A page of the trail; without a limit, the refusal of somebody who may not see it. */
peer.get('/v1/tenants/:tenantId/audit-events', eventsOrRefusal, async (request, reply) => {
  const limit = Number(request.query.limit);
  if (limit) return pageOf(await query('events', [request.params.tenantId, limit + 1]), limit, 'occurredAt');
  await query('tenant', [request.params.tenantId]);
  return reply.status(403).type('application/problem+json').send({
    type: 'about:blank',
    title: 'Forbidden',
    status: 403,
    code: 'permission_missing',
    detail: 'You lack the permission to read AuditEvent.',
    instance: request.url,
    requestId: request.id,
  });
});

process.on('disconnect', () => process.exit()); // the parent is gone
process.send({ url: await peer.listen({ host: '127.0.0.1', port: 0 }) });
