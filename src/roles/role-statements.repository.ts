import { Prisma } from '@prisma/client';
import { isUnconditional } from '../access/ability';
import { conditionSql, type ConditionColumns } from '../access/condition-sql.repository';
import { decodeCursor, type Order, rowsFor, startsWith } from '../common/keyset';
import { normalizeName } from '../common/text';
import type { ListRolesQuery } from './role.dto';

/** Of roles `r`, under the names that the rest of the code has. */
const COLUMNS = Prisma.sql`r.id, r.system_key AS "systemKey", r.name, r.name_key AS "nameKey", r.description, r.version,
  r.created_at AS "createdAt", r.updated_at AS "updatedAt"`;

const SORT_COLUMNS: Record<string, Prisma.Sql> = {
  createdAt: Prisma.sql`r.created_at`,
  nameKey: Prisma.sql`r.name_key`,
};

const CONDITION_COLUMNS: ConditionColumns = { id: Prisma.sql`r.id`, name: Prisma.sql`r.name` };

/** One page of a tenant's roles, along the index of its order or within the range of a search. */
export function rolesStatement(tenantId: string, query: ListRolesQuery, order: Order, accessible: object): Prisma.Sql {
  const { q, cursor, limit } = query;
  const column = SORT_COLUMNS[order.column]!;
  const conditions = [Prisma.sql`r.tenant_id = ${tenantId}::uuid`];
  if (!isUnconditional(accessible)) conditions.push(conditionSql(accessible, CONDITION_COLUMNS));
  if (q) {
    const { gte, lt } = startsWith(normalizeName(q));
    conditions.push(Prisma.sql`r.name_key >= ${gte} AND r.name_key < ${lt}`);
  }
  if (cursor !== undefined) {
    const { value, id } = decodeCursor(order, cursor);
    conditions.push(
      Prisma.sql`(${column}, r.id) ${order.descending ? Prisma.sql`<` : Prisma.sql`>`} (${value}, ${id}::uuid)`,
    );
  }
  // What is found by its name is gathered before it is put in another order.
  const fence = q && order.column !== 'nameKey' ? Prisma.sql` OFFSET 0` : Prisma.empty;
  const direction = order.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  const page = Prisma.sql`SELECT * FROM (SELECT * FROM app.roles r WHERE ${Prisma.join(conditions, ' AND ')}${fence}) r
    ORDER BY ${column} ${direction}, r.id ${direction} LIMIT ${rowsFor(limit)}`;
  return Prisma.sql`SELECT ${COLUMNS}, coalesce((
      SELECT json_agg(json_build_object('subject', rp.subject, 'action', rp.action, 'conditions', rp.conditions,
        'fields', rp.fields, 'inverted', rp.inverted) ORDER BY rp.position)
      FROM app.role_permissions rp WHERE rp.tenant_id = ${tenantId}::uuid AND rp.role_id = r.id), '[]') AS permissions
    FROM (${page}) r ORDER BY ${column} ${direction}, r.id ${direction}`;
}
