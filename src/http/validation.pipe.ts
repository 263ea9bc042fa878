import { type ValidationError, ValidationPipe } from '@nestjs/common';
import { type FieldError, InvalidInputError } from '../common/errors';

/** Checks bodies and queries against their DTOs; what a DTO does not name is refused, by name. */
export function createValidationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    exposeDefaultValues: true,
    validationError: { target: false, value: false },
    exceptionFactory: (errors) => new InvalidInputError(toFieldErrors(errors)),
  } as ConstructorParameters<typeof ValidationPipe>[0]);
}

/** class-validator's tree as a flat list with JSON pointers (RFC 6901). */
export function toFieldErrors(errors: readonly ValidationError[], parent = ''): FieldError[] {
  return errors.flatMap((error) => {
    const pointer = `${parent}/${error.property.replaceAll('~', '~0').replaceAll('/', '~1')}`;
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
