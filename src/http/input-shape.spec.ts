import { InvalidInputError } from '../common/errors';
import { assertHarmless } from './input-shape';
import { parseJson } from './json-body';

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const object = (names: number): object => Object.fromEntries(Array.from({ length: names }, (_, n) => [`p${n}`, n]));

/** The pointer and the code of what it finds wrong; undefined: nothing. */
function faultOf(input: unknown, prefix?: string): [pointer: string, code: string] | undefined {
  try {
    assertHarmless(input, prefix);
    return undefined;
  } catch (error) {
    const [fault] = (error as InvalidInputError).errors;
    return [fault!.pointer, fault!.code];
  }
}

describe('assertHarmless', () => {
  it.each([
    ['text', 'x'],
    ['null', null],
    ['an ordinary object', { name: 'x', list: [{ a: 1 }], none: null }],
    ['names that merely look dangerous', { proto: 1, Constructor: 1, toString: 1 }],
    ['an array with an index of any size', Array.from({ length: 1_000 }, () => 1)],
    ['32 levels', JSON.parse(nested(32))],
  ])('lets %s through', (_, input) => {
    expect(faultOf(input)).toBeUndefined();
  });

  it.each([
    ['33 levels', JSON.parse(nested(33)), ['', 'too_deep']],
    ['half a million levels', JSON.parse(nested(500_000)), ['', 'too_deep']],
    ['a prototype', JSON.parse('{"__proto__":{"isAdmin":true}}'), ['/__proto__', 'unknown_property']],
    ['a constructor within', { list: [{ constructor: 1 }] }, ['/list/0/constructor', 'unknown_property']],
    [
      'a prototype below names to escape',
      { 'a/b': { '~': { prototype: 1 } } },
      ['/a~1b/~0/prototype', 'unknown_property'],
    ],
    ['more than 100 properties', { name: object(101) }, ['/name', 'too_many_properties']],
    ['more than 20,000 values', Array.from({ length: 20_001 }, () => 1), ['', 'too_many_values']],
  ])('refuses %s', (_, input, fault) => {
    expect(faultOf(input)).toEqual(fault);
  });

  it('says that it means the query', () => {
    expect(faultOf({ constructor: 'x' }, '/query')).toEqual(['/query/constructor', 'unknown_property']);
    expect(faultOf(object(101), '/query')).toEqual(['/query', 'too_many_properties']);
  });
});

describe('parseJson', () => {
  it('takes no text for no body', () => {
    expect(parseJson('')).toBeUndefined();
  });

  it('refuses what is no JSON without quoting it', () => {
    expect(() => parseJson('{"password":"violet lantern')).toThrow(
      expect.objectContaining({ status: 400, message: 'Bad Request' }) as Error,
    );
  });
});
