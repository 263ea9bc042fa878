import { InvalidInputError } from './errors';
import type { Page } from './page.dto';
import { isStorableText } from './text';

/** A column by which a list can be sorted: indexed together with the id, never null. */
export interface SortColumn {
  column: string;
  kind: 'text' | 'time';
}

/** An order that a caller chose: `createdAt` or `-createdAt`. */
export interface Order extends SortColumn {
  /** The name of the field as the API shows it. */
  field: string;
  descending: boolean;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @param sort one of the values that the query's DTO allows */
export function orderOf(columns: Record<string, SortColumn>, sort: string): Order {
  const field = sort.replace(/^-/, '');
  return { field, descending: sort.startsWith('-'), ...columns[field]! };
}

/** The fields that the order tells. The time of making is none of them: the ids, which are UUIDv7, tell it anyway. */
export function fieldsToldBy({ field, kind }: Order): string[] {
  return kind === 'time' ? [] : [field];
}

/** Every value of `?sort` for these columns. */
export function sortValues(columns: Record<string, SortColumn>): string[] {
  return Object.keys(columns).flatMap((field) => [field, `-${field}`]);
}

/** The order as Prisma takes it; the id decides between equals. */
export function orderBy({ column, descending }: Order): Record<string, 'asc' | 'desc'>[] {
  const direction = descending ? 'desc' : 'asc';
  return [{ [column]: direction }, { id: direction }];
}

/**
 * The rows after the cursor, as a Prisma condition. The first part is a plain range, which an index can use; the second
 * leaves out what the page before showed already.
 * @throws InvalidInputError when the cursor is not one of ours for this order
 */
export function afterCursor(order: Order, cursor: string | undefined): object {
  if (cursor === undefined) return {};
  const { value, id } = decodeCursor(order, cursor);
  const [beyond, upTo] = order.descending ? ['lt', 'lte'] : ['gt', 'gte'];
  return {
    AND: [
      { [order.column]: { [upTo]: value } },
      { OR: [{ [order.column]: { [beyond]: value } }, { [order.column]: value, id: { [beyond]: id } }] },
    ],
  };
}

/**
 * A page of the rows that were read, one more than `limit` of them when there is a next page.
 * @param toItem what becomes of a row in the answer
 */
export function toPage<Row extends object, Item>(
  rows: readonly Row[],
  limit: number,
  order: Order,
  toItem: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const nextCursor = rows.length > limit && last ? encodeCursor(order, last) : null;
  return { data: shown.map(toItem), page: { nextCursor } };
}

/** How many rows to read for a page: one more tells whether there is a next one. */
export const rowsFor = (limit: number): number => limit + 1;

/** Not signed: a forged cursor only moves its own reader within the rows that he may see anyway (docs/decisions/0006). */
function encodeCursor(order: Order, row: object): string {
  const { [order.column]: value, id } = row as Record<string, unknown>;
  return Buffer.from(JSON.stringify([order.field, value, id])).toString('base64url');
}

/** The place in the list that a cursor names. @throws InvalidInputError when it is not one of ours for this order */
export function decodeCursor(order: Order, cursor: string): { value: string | Date; id: string } {
  const invalid = new InvalidInputError(
    [
      {
        pointer: '/query/cursor',
        code: 'invalid_cursor',
        message: 'This cursor is not one of this list in this order. Start again without it.',
      },
    ],
    'invalid_cursor',
  );
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw invalid;
  }
  if (!Array.isArray(parts) || parts.length !== 3) throw invalid;
  const [field, value, id] = parts as unknown[];
  if (field !== order.field || typeof value !== 'string' || typeof id !== 'string' || !UUID.test(id)) throw invalid;
  if (!isStorableText(value)) throw invalid;
  if (order.kind === 'text') return { value, id };
  const time = new Date(value);
  if (Number.isNaN(time.getTime()) || time.toISOString() !== value) throw invalid;
  return { value: time, id };
}

/** A prefix as a range: unlike LIKE it is leakproof, so an index serves it under row-level security (docs/tenancy.md). */
export function startsWith(prefix: string): { gte: string; lt: string } {
  return { gte: prefix, lt: `${prefix}\u{10FFFF}` };
}
