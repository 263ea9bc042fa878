import { Prisma } from '@prisma/client';
import { decodeCursor, type Order, rowsFor, startsWith } from '../common/keyset';
import { normalizeName } from '../common/text';
import type { ListTenantsQuery } from './tenant.dto';

/** Of tenants `t`, under the names that the rest of the code has. */
const COLUMNS = Prisma.sql`t.id, t.slug, t.name, t.name_key AS "nameKey", t.status, t.version, t.created_at AS "createdAt",
  t.updated_at AS "updatedAt", t.deleted_at AS "deletedAt", t.purge_after AS "purgeAfter"`;

const SORT_COLUMNS: Record<string, Prisma.Sql> = {
  createdAt: Prisma.sql`t.created_at`,
  nameKey: Prisma.sql`t.name_key`,
  slug: Prisma.sql`t.slug`,
};

const ALL = Prisma.sql`app.tenants t`;

/**
 * One page of the tenants, under the platform login.
 * @param accountId whose; undefined: all there are
 */
export function tenantsStatement(query: ListTenantsQuery, order: Order, accountId: string | undefined): Prisma.Sql {
  const conditions = [
    query.deleted === 'only' ? Prisma.sql`t.deleted_at IS NOT NULL` : Prisma.sql`t.deleted_at IS NULL`,
  ];
  if (query.status) conditions.push(Prisma.sql`t.status = ${query.status}`);
  if (query.cursor !== undefined) conditions.push(afterCursorSql(order, query.cursor));
  if (accountId !== undefined) {
    if (query.q) {
      const ranges = rangesOf(query.q).map(({ range }) => range);
      conditions.push(Prisma.sql`(${Prisma.join(ranges, ' OR ')})`);
    }
    return walk(query, order, conditions, ofAccount(accountId));
  }
  // Of deleted ones there are few: they are sorted, whatever the order.
  if (!query.q)
    return query.deleted === 'only'
      ? walk(query, order, [], gathered(conditions))
      : walk(query, order, conditions, ALL);
  // Two ranges, each of its index: an OR would leave all rows to a filter.
  const parts = rangesOf(query.q).map(({ column, range }) => {
    const all = [...conditions, range];
    return Prisma.sql`(${column === order.column ? walk(query, order, all, ALL) : walk(query, order, [], gathered(all))})`;
  });
  return Prisma.sql`SELECT * FROM (${Prisma.join(parts, ' UNION ')}) t
    ${orderBySql(order, Prisma.raw(`t."${order.column}"`))} LIMIT ${rowsFor(query.limit)}`;
}

/** All that meet the conditions, before they are put in another order: OFFSET keeps PostgreSQL from walking along that one. */
function gathered(conditions: Prisma.Sql[]): Prisma.Sql {
  return Prisma.sql`(SELECT * FROM app.tenants t WHERE ${Prisma.join(conditions, ' AND ')} OFFSET 0) t`;
}

function walk({ limit }: ListTenantsQuery, order: Order, conditions: Prisma.Sql[], from: Prisma.Sql): Prisma.Sql {
  return Prisma.sql`SELECT ${COLUMNS} FROM ${from} WHERE ${Prisma.join([...conditions, Prisma.sql`true`], ' AND ')}
    ${orderBySql(order, SORT_COLUMNS[order.column]!)} LIMIT ${rowsFor(limit)}`;
}

/** Each by its key, however many they are: the LIMIT keeps PostgreSQL from walking past all tenants instead. */
function ofAccount(accountId: string): Prisma.Sql {
  return Prisma.sql`(SELECT tenant_id FROM app.memberships WHERE user_id = ${accountId}::uuid) m
    CROSS JOIN LATERAL (SELECT * FROM app.tenants one WHERE one.id = m.tenant_id LIMIT 1) t`;
}

function rangesOf(q: string): { column: string; range: Prisma.Sql }[] {
  const [name, slug] = [startsWith(normalizeName(q)), startsWith(q.toLowerCase())];
  return [
    { column: 'nameKey', range: Prisma.sql`t.name_key >= ${name.gte} AND t.name_key < ${name.lt}` },
    { column: 'slug', range: Prisma.sql`t.slug >= ${slug.gte} AND t.slug < ${slug.lt}` },
  ];
}

function afterCursorSql(order: Order, cursor: string): Prisma.Sql {
  const { value, id } = decodeCursor(order, cursor);
  const beyond = order.descending ? Prisma.sql`<` : Prisma.sql`>`;
  const column = SORT_COLUMNS[order.column]!;
  return isUnique(order)
    ? Prisma.sql`${column} ${beyond} ${value}`
    : Prisma.sql`(${column}, t.id) ${beyond} (${value}, ${id}::uuid)`;
}

function orderBySql(order: Order, column: Prisma.Sql): Prisma.Sql {
  const direction = order.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  return Prisma.sql`ORDER BY ${column} ${direction}${isUnique(order) ? Prisma.empty : Prisma.sql`, t.id ${direction}`}`;
}

/** No two tenants have the same slug, so no id has to decide between them. */
function isUnique({ column }: Order): boolean {
  return column === 'slug';
}
