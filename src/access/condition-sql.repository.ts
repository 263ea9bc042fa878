import { Prisma } from '@prisma/client';

/** The columns by which conditions may decide (SUBJECT_FIELDS), as the statement calls them. */
export type ConditionColumns = Readonly<Record<string, Prisma.Sql>>;

/**
 * A condition of accessibleWhere() as SQL, for statements of our own. It knows what a role can hold
 * (roles/permission-validators.ts) and what CASL makes of it, and no more.
 * @throws TypeError for anything else: rather no answer than a row too many
 */
export function conditionSql(where: object, columns: ConditionColumns): Prisma.Sql {
  return all(Object.entries(where).map(([key, value]) => partSql(key, value, columns)));
}

function partSql(key: string, value: unknown, columns: ConditionColumns): Prisma.Sql {
  const parts = (): Prisma.Sql[] =>
    [value].flat().map((part) => conditionSql(isObject(part) ? part : unknown(key, part), columns));
  if (key === 'AND') return all(parts());
  if (key === 'OR') return any(parts());
  if (key === 'NOT') return all(parts().map((part) => Prisma.sql`NOT ${part}`));
  const column = Object.hasOwn(columns, key) ? columns[key]! : unknown(key, value);
  if (!isObject(value)) return comparisonSql(column, 'equals', value);
  return all(Object.entries(value).map(([operator, operand]) => comparisonSql(column, operator, operand)));
}

function comparisonSql(column: Prisma.Sql, operator: string, operand: unknown): Prisma.Sql {
  if (operator === 'equals' && typeof operand === 'string') return Prisma.sql`${column} = ${operand}`;
  if (operator === 'not' && typeof operand === 'string') return Prisma.sql`${column} <> ${operand}`;
  const values: unknown[] = Array.isArray(operand) ? operand : unknown(operator, operand);
  if (!values.every((value) => typeof value === 'string')) unknown(operator, operand);
  // As one parameter: a statement has 65,535 at most, and one text however many values there are.
  if (operator === 'in') return values.length === 0 ? NOTHING : Prisma.sql`${column} = ANY (${values})`;
  if (operator === 'notIn') return Prisma.sql`${column} <> ALL (${values})`;
  return unknown(operator, operand);
}

const NOTHING = Prisma.sql`false`;

const all = (parts: Prisma.Sql[]): Prisma.Sql => joined(parts, ' AND ', Prisma.sql`true`);
const any = (parts: Prisma.Sql[]): Prisma.Sql => joined(parts, ' OR ', NOTHING);

function joined(parts: Prisma.Sql[], separator: string, ofNone: Prisma.Sql): Prisma.Sql {
  return parts.length === 0 ? ofNone : Prisma.join(parts, separator, '(', ')');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unknown(key: string, value: unknown): never {
  throw new TypeError(`A condition that no statement knows: ${key} ${JSON.stringify(value)}`);
}
