import { InvalidInputError } from './errors';
import { afterCursor, orderBy, orderOf, sortValues, startsWith, toPage } from './keyset';

const SORTS = { createdAt: { column: 'createdAt', kind: 'time' }, name: { column: 'nameKey', kind: 'text' } } as const;
const id = '0199f2c0-7d3a-7cc1-8a44-0d8a2b7c9e21';
const rows = [
  { id, nameKey: 'ada', createdAt: new Date('2026-01-01T00:00:00.000Z') },
  { id: id.replace(/1$/, '2'), nameKey: 'bob', createdAt: new Date('2026-01-02T00:00:00.000Z') },
];
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('keyset paging', () => {
  it('offers each sort in both directions', () => {
    expect(sortValues(SORTS)).toEqual(['createdAt', '-createdAt', 'name', '-name']);
  });

  it('lets the id decide between equals', () => {
    expect(orderBy(orderOf(SORTS, '-createdAt'))).toEqual([{ createdAt: 'desc' }, { id: 'desc' }]);
  });

  it('ends without a cursor when there is no next page', () => {
    expect(toPage(rows, 2, orderOf(SORTS, 'name'), (row) => row.nameKey)).toEqual({
      data: ['ada', 'bob'],
      page: { nextCursor: null },
    });
  });

  it.each(['name', '-name', 'createdAt', '-createdAt'])('goes on after the last row of a page sorted by %s', (sort) => {
    const order = orderOf(SORTS, sort);
    const { data, page } = toPage(rows, 1, order, (row) => row.id);
    expect(data).toEqual([id]);
    const value = order.kind === 'text' ? 'ada' : rows[0]!.createdAt;
    const [beyond, upTo] = order.descending ? ['lt', 'lte'] : ['gt', 'gte'];
    expect(afterCursor(order, page.nextCursor!)).toEqual({
      AND: [
        { [order.column]: { [upTo]: value } },
        { OR: [{ [order.column]: { [beyond]: value } }, { [order.column]: value, id: { [beyond]: id } }] },
      ],
    });
  });

  it.each([
    ['no base64', '%%%'],
    ['no JSON', Buffer.from('{').toString('base64url')],
    ['another shape', encode({ a: 1 })],
    ['too few parts', encode(['name', 'ada'])],
    ['another order', encode(['createdAt', '2026-01-01T00:00:00.000Z', id])],
    ['an id that is none', encode(['name', 'ada', "1' OR true"])],
    ['an object for a value', encode(['name', { gt: '' }, id])],
    ['NUL in the value', encode(['name', 'a\0', id])],
    ['a lone surrogate', encode(['name', '\ud800', id])],
  ])('refuses a cursor with %s', (_, cursor) => {
    expect(() => afterCursor(orderOf(SORTS, 'name'), cursor)).toThrow(InvalidInputError);
  });

  it('refuses a time that is none', () => {
    expect(() => afterCursor(orderOf(SORTS, 'createdAt'), encode(['createdAt', 'yesterday', id]))).toThrow(
      InvalidInputError,
    );
  });

  it('searches a prefix as a range', () => {
    const { gte, lt } = startsWith('ad');
    const bytes = (text: string): Buffer => Buffer.from(text);
    for (const inside of ['ad', 'ada', 'ad\u{10FFFE}']) {
      expect(Buffer.compare(bytes(inside), bytes(gte))).toBeGreaterThanOrEqual(0);
      expect(Buffer.compare(bytes(inside), bytes(lt))).toBeLessThan(0);
    }
    expect(Buffer.compare(bytes('ae'), bytes(lt))).toBeGreaterThan(0);
  });
});
