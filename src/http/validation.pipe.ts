import { type ArgumentMetadata, type PipeTransform, type ValidationError, ValidationPipe } from '@nestjs/common';
import { BoundedMap } from '../common/bounded-map';
import { type FieldError, InvalidInputError } from '../common/errors';
import { assertHarmless, escapePointer } from './input-shape';

/** Nobody mends more faults at a time, and a large wrong body must not bring an answer that is larger still. */
const MAX_FAULTS = 100;
/** So many queries of each DTO are kept that were right, and of what length. */
const MAX_KEPT = 200;
const MAX_KEPT_LENGTH = 500;

const validation = new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  exposeDefaultValues: true,
  validationError: { target: false, value: false },
  exceptionFactory: (errors) => new InvalidInputError(toFieldErrors(errors).slice(0, MAX_FAULTS)),
} as ConstructorParameters<typeof ValidationPipe>[0]);

/** Checks bodies and queries against their DTOs; what a DTO does not name is refused, by name. Ids in paths are IdParam's. */
export class InputPipe implements PipeTransform {
  /** Queries that were right, by their DTO and their text: the same one is right again. */
  private readonly rightQueries = new Map<unknown, BoundedMap<string, unknown>>();

  transform(value: unknown, metadata: ArgumentMetadata): unknown {
    if (metadata.type === 'query') return this.transformQuery(value, metadata);
    if (metadata.type !== 'body') return value;
    assertObject(value);
    return validation.transform(value, metadata);
  }

  private async transformQuery(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    assertHarmless(value, '/query');
    const known = this.rightQueriesOf(metadata.metatype);
    const text = JSON.stringify(value);
    const before = known.get(text);
    if (before) return before;
    try {
      const query = deepFreeze((await validation.transform(value, metadata)) as unknown); // requests share it
      if (text.length <= MAX_KEPT_LENGTH) known.set(text, query);
      return query;
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      throw new InvalidInputError(
        error.errors.map(({ pointer, ...fault }) => ({ ...fault, pointer: `/query${pointer}` })),
        error.code,
      );
    }
  }

  private rightQueriesOf(metatype: unknown): BoundedMap<string, unknown> {
    const known = this.rightQueries.get(metatype) ?? new BoundedMap(MAX_KEPT);
    this.rightQueries.set(metatype, known);
    return known;
  }
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}

/** Without this, a body that is missing, null or an array would count as an empty object. */
function assertObject(body: unknown): void {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return;
  throw new InvalidInputError([{ pointer: '', code: 'is_object', message: 'The body must be a JSON object.' }]);
}

/** class-validator's tree as a flat list with JSON pointers (RFC 6901). */
export function toFieldErrors(errors: readonly ValidationError[], parent = ''): FieldError[] {
  return errors.flatMap((error) => {
    const pointer = `${parent}/${escapePointer(error.property)}`;
    const own = Object.entries(error.constraints ?? {}).map(([name, message]) => ({
      pointer,
      code: CODES[name] ?? snakeCase(name),
      message: `${message}.`,
    }));
    return [...own, ...toFieldErrors(error.children ?? [], pointer)];
  });
}

const CODES: Record<string, string> = { whitelistValidation: 'unknown_property', isIn: 'unknown_value' };

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
