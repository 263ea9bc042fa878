import { Prisma } from '@prisma/client';
import { decodeCursor, type Order, rowsFor } from '../common/keyset';
import type { ListUsersQuery } from './user.dto';

/** Of memberships `m`, under the names that the rest of the code has. */
const COLUMNS = Prisma.sql`m.id, m.email, m.name, m.name_key AS "nameKey", m.status, m.version,
  m.created_at AS "createdAt", m.updated_at AS "updatedAt"`;

const SORT_COLUMNS: Record<string, Prisma.Sql> = {
  createdAt: Prisma.sql`m.created_at`,
  nameKey: Prisma.sql`m.name_key`,
  email: Prisma.sql`m.email`,
};

/** One user by its primary key. */
export function userStatement(tenantId: string, id: string): Prisma.Sql {
  return Prisma.sql`SELECT ${COLUMNS} FROM app.memberships m WHERE m.tenant_id = ${tenantId}::uuid AND m.id = ${id}::uuid`;
}

/** The same with the roles held at `now`, as JSON: three tables by their primary keys. */
export function userWithRolesStatement(tenantId: string, id: string, now: Date): Prisma.Sql {
  return Prisma.sql`SELECT ${COLUMNS}, coalesce((
      SELECT json_agg(json_build_object('expiresAt', mr.expires_at, 'role',
        json_build_object('id', r.id, 'name', r.name, 'systemKey', r.system_key)) ORDER BY mr.role_id)
      FROM app.membership_roles mr JOIN app.roles r ON r.tenant_id = ${tenantId}::uuid AND r.id = mr.role_id
      WHERE mr.tenant_id = ${tenantId}::uuid AND mr.membership_id = m.id AND (mr.expires_at IS NULL OR mr.expires_at > ${now})
    ), '[]') AS roles
    FROM app.memberships m WHERE m.tenant_id = ${tenantId}::uuid AND m.id = ${id}::uuid`;
}

/**
 * One page of a tenant's users, along the index of its order. The row comparison is a range of that index.
 * @returns undefined for what it does not do: searching, roles, chosen fields
 */
export function usersStatement(tenantId: string, query: ListUsersQuery, order: Order): Prisma.Sql | undefined {
  const { status, email, roleId, q, fields, include, cursor, limit } = query;
  const column = SORT_COLUMNS[order.column];
  if (roleId || q || fields || include || !column) return undefined;
  const conditions = [Prisma.sql`m.tenant_id = ${tenantId}::uuid`];
  if (status) conditions.push(Prisma.sql`m.status = ${status}`);
  if (email) conditions.push(Prisma.sql`m.email = ${email}`);
  if (cursor !== undefined) {
    const { value, id } = decodeCursor(order, cursor);
    const beyond = order.descending ? Prisma.sql`<` : Prisma.sql`>`;
    conditions.push(Prisma.sql`(${column}, m.id) ${beyond} (${value}, ${id}::uuid)`);
  }
  const direction = order.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  return Prisma.sql`SELECT ${COLUMNS} FROM app.memberships m WHERE ${Prisma.join(conditions, ' AND ')}
    ORDER BY ${column} ${direction}, m.id ${direction} LIMIT ${rowsFor(limit)}`;
}
