import { type ArgumentMetadata, type ValidationError, ValidationPipe } from '@nestjs/common';
import { type FieldError, InvalidInputError } from '../common/errors';
import { assertHarmless, escapePointer } from './input-shape';

/** Nobody mends more faults at a time, and a large wrong body must not bring an answer that is larger still. */
const MAX_FAULTS = 100;

/** Checks bodies and queries against their DTOs; what a DTO does not name is refused, by name. */
export function createValidationPipe(): ValidationPipe {
  return new InputPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    exposeDefaultValues: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidInputError(toFieldErrors(errors).slice(0, MAX_FAULTS)),
  } as ConstructorParameters<typeof ValidationPipe>[0]);
}

class InputPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'body') assertObject(value);
    if (metadata.type === 'query') assertHarmless(value, '/query');
    try {
      return (await super.transform(value, metadata)) as unknown;
    } catch (error) {
      if (!(error instanceof InvalidInputError) || metadata.type !== 'query') throw error;
      throw new InvalidInputError(
        error.errors.map(({ pointer, ...fault }) => ({ ...fault, pointer: `/query${pointer}` })),
        error.code,
      );
    }
  }
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
