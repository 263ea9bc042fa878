import { InvalidInputError } from '../common/errors';

/** Deeper than any input of ours, and far from where recursive code (validation, CASL, JSON) would run out of stack. */
const MAX_DEPTH = 32;
/** More than any object of ours has, and any body: what is larger would cost seconds to validate and would be refused all the same. */
const MAX_NAMES_IN_OBJECT = 100;
const MAX_VALUES = 20_000;
/** Assigned to an object, they would reach its prototype; class-transformer leaves them out without a word. */
const PROTOTYPE_NAMES = new Set(['__proto__', 'constructor', 'prototype']);

/** An object or array within the input, and where it stands. */
interface Part {
  value: object;
  name: string;
  parent: Part | undefined;
}

/**
 * Refuses what no input may hold, whatever the route. It goes level by level: a body of 1 MiB can be half a million
 * levels deep, too deep for recursion.
 * @param prefix of the pointers, `/query` for a query
 * @throws InvalidInputError
 */
export function assertHarmless(input: unknown, prefix = ''): void {
  if (!isObject(input)) return;
  let level: Part[] = [{ value: input, name: prefix, parent: undefined }];
  let values = 0;
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) throw invalid(prefix, 'too_deep', `This is nested deeper than ${MAX_DEPTH} levels.`);
    const next: Part[] = [];
    for (const part of level) {
      const names = Object.keys(part.value);
      values += names.length;
      if (values > MAX_VALUES) throw invalid(prefix, 'too_many_values', `These are more than ${MAX_VALUES} values.`);
      if (!Array.isArray(part.value)) assertHarmlessNames(part, names);
      for (const name of names) {
        const value: unknown = (part.value as Record<string, unknown>)[name];
        if (isObject(value)) next.push({ value, name, parent: part });
      }
    }
    level = next;
  }
}

function assertHarmlessNames(part: Part, names: readonly string[]): void {
  if (names.length > MAX_NAMES_IN_OBJECT) {
    throw invalid(pointerTo(part), 'too_many_properties', `These are more than ${MAX_NAMES_IN_OBJECT} properties.`);
  }
  const name = names.find((candidate) => PROTOTYPE_NAMES.has(candidate));
  if (name !== undefined) {
    throw invalid(`${pointerTo(part)}/${name}`, 'unknown_property', `property ${name} should not exist.`);
  }
}

/** A JSON pointer (RFC 6901); the outermost part's name is one already. */
function pointerTo({ name, parent }: Part): string {
  return parent ? `${pointerTo(parent)}/${escapePointer(name)}` : name;
}

/** A name as a JSON pointer has it. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const invalid = (pointer: string, code: string, message: string): InvalidInputError =>
  new InvalidInputError([{ pointer, code, message }]);
