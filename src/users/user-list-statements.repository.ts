import { Prisma } from '@prisma/client';
import { isUnconditional } from '../access/ability';
import { conditionSql, type ConditionColumns } from '../access/condition-sql.repository';
import { decodeCursor, type Order, rowsFor, startsWith } from '../common/keyset';
import { normalizeEmail, normalizeName } from '../common/text';
import type { ListUsersQuery } from './user.dto';
import { isHeld, ofTenant, rolesOf, USER_COLUMNS } from './user-statements.repository';

/** What is asked, on whose behalf, and when. */
export interface UsersQuestion {
  tenantId: string;
  query: ListUsersQuery;
  order: Order;
  /** Which users, and by which roles they can be filtered. */
  accessible: { users: object; roles: object };
  now: Date;
}

const SORT_COLUMNS: Record<string, Prisma.Sql> = {
  createdAt: Prisma.sql`m.created_at`,
  nameKey: Prisma.sql`m.name_key`,
  email: Prisma.sql`m.email`,
};

const ROLE_CONDITION_COLUMNS: ConditionColumns = { id: Prisma.sql`r.id`, name: Prisma.sql`r.name` };

/** Up to so many matches are gathered and sorted; where there are more, the order is walked until a page is full. */
const MANY = 1_000;

/** One page of a tenant's users: each order, each filter, and both ranges of a search are an index's (docs/tenancy.md). */
export function usersStatement(question: UsersQuestion): Prisma.Sql {
  const { tenantId, query, order, now } = question;
  const page = pageOf(question);
  if (!query.include?.includes('roles')) return page;
  const column = Prisma.raw(`p."${order.column}"`);
  return Prisma.sql`SELECT p.*, ${rolesOf(Prisma.sql`p`, tenantId, { roles: 'named', now })} AS roles
    FROM (${page}) p ${orderBySql(order, column, Prisma.sql`p.id`)}`;
}

function pageOf(question: UsersQuestion): Prisma.Sql {
  const { status, email, roleId, q } = question.query;
  const conditions = ofTenant(question.tenantId, question.accessible.users);
  if (status) conditions.push(Prisma.sql`m.status = ${status}`);
  conditions.push(...afterCursorSql(question));
  if (roleId) conditions.push(...roleIsAccessible(question, roleId));
  if (email) {
    if (q) conditions.push(any(rangesOf(q)));
    if (roleId) conditions.push(holds(question, roleId));
    return walk(question, conditions, ofAddress(question, email));
  }
  const page = (all: Prisma.Sql[]): Prisma.Sql => (q ? found(question, all, q) : walk(question, all));
  if (!roleId) return page(conditions);
  const few = q ? [...conditions, any(rangesOf(q))] : conditions;
  return fewOrMany(question, holdersOf(question, roleId), few, (areMany) =>
    page([areMany, ...conditions, holds(question, roleId)]),
  );
}

/** Along the index of the order, as far as one page. The row comparison of the cursor is a range of that index. */
function walk(
  { query, order }: UsersQuestion,
  conditions: Prisma.Sql[],
  users = Prisma.sql`app.memberships m`,
): Prisma.Sql {
  return Prisma.sql`SELECT ${USER_COLUMNS} FROM ${users} WHERE ${Prisma.join(conditions, ' AND ')}
    ${orderBySql(order, SORT_COLUMNS[order.column]!, Prisma.sql`m.id`)} LIMIT ${rowsFor(query.limit)}`;
}

/** One user at most: OFFSET keeps PostgreSQL from looking for them along the order. */
function ofAddress({ tenantId }: UsersQuestion, email: string): Prisma.Sql {
  return Prisma.sql`(SELECT * FROM app.memberships m WHERE m.tenant_id = ${tenantId}::uuid AND m.email = ${email} OFFSET 0) m`;
}

/** Pages of several sources as one; a user may be in more than one of them. */
function merged({ query, order }: UsersQuestion, pages: Prisma.Sql[]): Prisma.Sql {
  return Prisma.sql`SELECT * FROM (${Prisma.join(
    pages.map((page) => Prisma.sql`(${page})`),
    ' UNION ',
  )}) m ${orderBySql(order, Prisma.raw(`m."${order.column}"`), Prisma.sql`m.id`)} LIMIT ${rowsFor(query.limit)}`;
}

/** Selects of the ids of those who match something, each in the order of its index: or some would be looked for among all rows. */
interface Matches {
  name: Prisma.Sql;
  ids: Prisma.Sql[];
}

/**
 * One page of those who match: five of 200,000, or all of them. No one plan is right for both, and PostgreSQL plans a prepared
 * statement once for all values. So it is counted as far as MANY, and one of the two halves is run.
 * @param conditions for those who match
 * @param many the page when there are many, under a condition that says so
 */
function fewOrMany(
  question: UsersQuestion,
  { name, ids }: Matches,
  conditions: Prisma.Sql[],
  many: (areMany: Prisma.Sql) => Prisma.Sql,
): Prisma.Sql {
  const limit = Prisma.raw(String(MANY));
  // Each by its key: LIMIT keeps PostgreSQL from reading all users for a join.
  const few = Prisma.sql`${name} CROSS JOIN LATERAL (
      SELECT * FROM app.memberships one WHERE one.tenant_id = ${question.tenantId}::uuid AND one.id = ${name}.id LIMIT 1) m`;
  const pages = [
    walk(question, [Prisma.sql`(SELECT count(*) FROM ${name}) <= ${limit}`, ...conditions], few),
    many(Prisma.sql`(SELECT count(*) FROM ${name}) > ${limit}`),
  ];
  const some = ids.map((select) => Prisma.sql`(${select} LIMIT ${limit} + 1)`);
  return Prisma.sql`WITH ${name} (id) AS MATERIALIZED (${Prisma.join(some, ' UNION ')}) ${merged(question, pages)}`;
}

/** Those whose name or address begins with `q`: two ranges, each of its index. An OR would leave all rows to a filter. */
function found(question: UsersQuestion, conditions: Prisma.Sql[], q: string): Prisma.Sql {
  const { tenantId, order } = question;
  const ranges = rangesOf(q);
  const others = ranges.filter(({ column }) => column !== order.column);
  const ids = others.map(
    ({ column, range }) => Prisma.sql`SELECT m.id FROM app.memberships m
      WHERE m.tenant_id = ${tenantId}::uuid AND ${range} ORDER BY ${SORT_COLUMNS[column]!}`,
  );
  return merged(question, [
    ...ranges
      .filter(({ column }) => column === order.column)
      .map(({ range }) => walk(question, [...conditions, range])),
    fewOrMany(question, { name: Prisma.sql`found`, ids }, conditions, (areMany) =>
      walk(question, [areMany, ...conditions, any(others)]),
    ),
  ]);
}

/** For rows that are looked at anyway. IS TRUE keeps it from being a range of an index, which would then have to be sorted. */
function any(ranges: Range[]): Prisma.Sql {
  return Prisma.sql`(${Prisma.join(
    ranges.map(({ range }) => range),
    ' OR ',
  )}) IS TRUE`;
}

interface Range {
  column: string;
  range: Prisma.Sql;
}

function rangesOf(q: string): Range[] {
  const [name, email] = [startsWith(normalizeName(q)), startsWith(normalizeEmail(q))];
  return [
    { column: 'nameKey', range: Prisma.sql`m.name_key >= ${name.gte} AND m.name_key < ${name.lt}` },
    { column: 'email', range: Prisma.sql`m.email >= ${email.gte} AND m.email < ${email.lt}` },
  ];
}

/** Those without an end, and those whose end is to come: two ranges of an index. */
function holdersOf({ tenantId, now }: UsersQuestion, roleId: string): Matches {
  const ids = [Prisma.sql`mr.expires_at IS NULL`, Prisma.sql`mr.expires_at > ${now}`].map(
    (isStillHeld) => Prisma.sql`SELECT mr.membership_id FROM app.membership_roles mr
      WHERE mr.tenant_id = ${tenantId}::uuid AND mr.role_id = ${roleId}::uuid AND ${isStillHeld}
      ORDER BY mr.expires_at, mr.membership_id`,
  );
  return { name: Prisma.sql`holders`, ids };
}

/** As a value, not as a join: it is looked up for the rows that are walked past. */
function holds({ tenantId, now }: UsersQuestion, roleId: string): Prisma.Sql {
  return Prisma.sql`(SELECT true FROM app.membership_roles mr
    WHERE mr.tenant_id = ${tenantId}::uuid AND mr.membership_id = m.id AND mr.role_id = ${roleId}::uuid AND ${isHeld(now)})`;
}

function roleIsAccessible({ tenantId, accessible }: UsersQuestion, roleId: string): Prisma.Sql[] {
  if (isUnconditional(accessible.roles)) return [];
  return [
    Prisma.sql`EXISTS (SELECT FROM app.roles r WHERE r.tenant_id = ${tenantId}::uuid AND r.id = ${roleId}::uuid
      AND ${conditionSql(accessible.roles, ROLE_CONDITION_COLUMNS)})`,
  ];
}

function afterCursorSql({ query: { cursor }, order }: UsersQuestion): Prisma.Sql[] {
  if (cursor === undefined) return [];
  const { value, id } = decodeCursor(order, cursor);
  const beyond = order.descending ? Prisma.sql`<` : Prisma.sql`>`;
  const column = SORT_COLUMNS[order.column]!;
  if (isUnique(order)) return [Prisma.sql`${column} ${beyond} ${value}`];
  return [Prisma.sql`(${column}, m.id) ${beyond} (${value}, ${id}::uuid)`];
}

function orderBySql(order: Order, column: Prisma.Sql, id: Prisma.Sql): Prisma.Sql {
  const direction = order.descending ? Prisma.sql`DESC` : Prisma.sql`ASC`;
  return Prisma.sql`ORDER BY ${column} ${direction}${isUnique(order) ? Prisma.empty : Prisma.sql`, ${id} ${direction}`}`;
}

/** No two users of a tenant have the same address, so no id has to decide between them. */
function isUnique({ column }: Order): boolean {
  return column === 'email';
}
