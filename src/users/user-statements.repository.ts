import { Prisma } from '@prisma/client';
import { isUnconditional } from '../access/ability';
import { conditionSql, type ConditionColumns } from '../access/condition-sql.repository';

/** Of memberships `m`, under the names that the rest of the code has. */
export const USER_COLUMNS = Prisma.sql`m.id, m.email, m.name, m.name_key AS "nameKey", m.status, m.version,
  m.created_at AS "createdAt", m.updated_at AS "updatedAt"`;

/** Those by which a role's conditions can decide (SUBJECT_FIELDS). */
export const CONDITION_COLUMNS: ConditionColumns = {
  id: Prisma.sql`m.id`,
  email: Prisma.sql`m.email`,
  status: Prisma.sql`m.status`,
};

/** With each user the roles held at `now`: who they are, or also what they permit. */
export interface WithRoles {
  roles: 'named' | 'with permissions';
  now: Date;
}

/** One user by its primary key; with its roles that is three tables by theirs. */
export function userStatement(
  tenantId: string,
  id: string,
  accessible: object = { AND: [{}] },
  include?: WithRoles,
): Prisma.Sql {
  const roles = include ? Prisma.sql`, ${rolesOf(Prisma.sql`m`, tenantId, include)} AS roles` : Prisma.empty;
  const conditions = [...ofTenant(tenantId, accessible), Prisma.sql`m.id = ${id}::uuid`];
  return Prisma.sql`SELECT ${USER_COLUMNS}${roles} FROM app.memberships m WHERE ${Prisma.join(conditions, ' AND ')}`;
}

/** The tenant's users, of them those that the caller may see. */
export function ofTenant(tenantId: string, accessible: object): Prisma.Sql[] {
  const tenant = Prisma.sql`m.tenant_id = ${tenantId}::uuid`;
  return isUnconditional(accessible) ? [tenant] : [tenant, conditionSql(accessible, CONDITION_COLUMNS)];
}

/** The roles of each row of `users`, as JSON: an array of AssignedRoleRow, or of HeldRoleRow. */
export function rolesOf(users: Prisma.Sql, tenantId: string, { roles, now }: WithRoles): Prisma.Sql {
  const permissions = Prisma.sql`, 'permissions', coalesce((
      SELECT json_agg(json_build_object('subject', rp.subject, 'action', rp.action, 'conditions', rp.conditions,
        'fields', rp.fields, 'inverted', rp.inverted) ORDER BY rp.position)
      FROM app.role_permissions rp WHERE rp.tenant_id = ${tenantId}::uuid AND rp.role_id = r.id), '[]')`;
  return Prisma.sql`coalesce((
      SELECT json_agg(json_build_object('expiresAt', mr.expires_at, 'role', json_build_object('id', r.id, 'name', r.name,
        'systemKey', r.system_key${roles === 'with permissions' ? permissions : Prisma.empty})) ORDER BY mr.role_id)
      FROM app.membership_roles mr CROSS JOIN LATERAL (
        SELECT * FROM app.roles one WHERE one.tenant_id = ${tenantId}::uuid AND one.id = mr.role_id LIMIT 1) r
      WHERE mr.tenant_id = ${tenantId}::uuid AND mr.membership_id = ${users}.id AND ${isHeld(now)}), '[]')`;
}

/** Of membership_roles `mr`. */
export function isHeld(now: Date): Prisma.Sql {
  return Prisma.sql`(mr.expires_at IS NULL OR mr.expires_at > ${now})`;
}
