import { applyDecorators } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import {
  IsArray,
  isEmail,
  IsIn,
  IsISO8601,
  IsString,
  IsUUID,
  MaxLength,
  MinLength,
  registerDecorator,
  ValidateIf,
  type ValidationOptions,
} from 'class-validator';
import { lowerCaseId } from './id';
import { isStorableText, normalizeEmail } from './text';

/** What every field decorator takes. Absent is allowed with `optional`, `null` with `nullable`. */
interface FieldOptions {
  optional?: boolean;
  nullable?: boolean;
  description?: string;
  example?: unknown;
}

/** Validation and OpenAPI schema of one property in one place, so that they cannot differ. */
function field(schema: object, options: FieldOptions, ...validators: PropertyDecorator[]): PropertyDecorator {
  const { optional = false, nullable = false, description, example } = options;
  const presence =
    optional || nullable
      ? [ValidateIf((_, value) => !(optional && value === undefined) && !(nullable && value === null))]
      : [];
  return applyDecorators(
    ApiProperty({
      ...schema,
      ...(nullable && { nullable }),
      required: !optional,
      ...(description && { description }),
      ...(example !== undefined && { example }),
    }),
    ...presence,
    ...validators,
  );
}

/** Text that PostgreSQL can store; surrounding space is cut. `minLength` and `maxLength` count UTF-16 units, as JSON Schema nearly does. */
export function Text(
  options: FieldOptions & { minLength?: number; maxLength: number; pattern?: RegExp; patternHint?: string },
): PropertyDecorator {
  const { minLength = 1, maxLength, pattern, patternHint } = options;
  return field(
    { type: 'string', minLength, maxLength, ...(pattern && { pattern: pattern.source }) },
    options,
    Transform(({ value }) => (typeof value === 'string' ? value.trim() : (value as unknown))),
    IsString(),
    MinLength(minLength),
    MaxLength(maxLength),
    IsStorableText(),
    ...(pattern ? [MatchesText(pattern, patternHint)] : []),
  );
}

/** A secret: taken as it is, spaces included, and never trimmed. */
export function Secret(options: FieldOptions & { maxLength: number }): PropertyDecorator {
  return field(
    { type: 'string', minLength: 1, maxLength: options.maxLength, format: 'password' },
    options,
    IsString(),
    MinLength(1),
    MaxLength(options.maxLength),
    IsStorableText(),
  );
}

/** An e-mail address, normalized as it is stored. */
export function Email(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { type: 'string', format: 'email', maxLength: 254 },
    { example: 'ada@example.com', ...options },
    Transform(({ value }) => (typeof value === 'string' ? normalizeEmail(value) : (value as unknown))),
    IsString(),
    IsStorableText(),
    IsEmailAddress(),
    MaxLength(254),
  );
}

/** One of a few words. */
export function OneOf(values: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  return field({ type: 'string', enum: [...values] }, options, IsIn(values));
}

/** The id of something, in lower case as ours are. */
export function Id(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { type: 'string', format: 'uuid' },
    options,
    Transform(({ value }) => lowerCaseId(value)),
    IsUUID(),
  );
}

/** A moment, ISO 8601 with a time zone, as a string. */
export function Moment(options: FieldOptions = {}): PropertyDecorator {
  return field(
    { type: 'string', format: 'date-time' },
    options,
    IsISO8601({ strict: true, strictSeparator: true }),
    MatchesText(/(Z|[+-]\d\d:\d\d)$/, 'must name its time zone'),
  );
}

/** class-validator's own decorator throws at a lone surrogate: it encodes the text as a URI. */
function IsEmailAddress(): PropertyDecorator {
  return custom(
    'isEmail',
    (value) => typeof value === 'string' && value.isWellFormed() && isEmail(value, { allow_utf8_local_part: false }),
    '$property must be an email',
  );
}

function IsStorableText(options?: ValidationOptions): PropertyDecorator {
  return custom(
    'isStorableText',
    (value) => typeof value !== 'string' || isStorableText(value),
    '$property must not contain NUL or lone surrogates',
    options,
  );
}

function MatchesText(pattern: RegExp, hint = `must match ${String(pattern)}`): PropertyDecorator {
  return custom('matches', (value) => typeof value === 'string' && pattern.test(value), `$property ${hint}`);
}

function custom(
  name: string,
  isValid: (value: unknown) => boolean,
  message: string,
  options?: ValidationOptions,
): PropertyDecorator {
  return (target, propertyName) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: propertyName as string,
      options: { message, ...options },
      validator: { validate: isValid },
    });
}

/** A choice of words in a query, `?fields=id,name`: comma separated, each at most once. */
export function WordList(values: readonly string[], options: FieldOptions = {}): PropertyDecorator {
  return applyDecorators(
    ApiProperty({
      type: 'array',
      items: { type: 'string', enum: [...values] },
      style: 'form',
      explode: false,
      required: false,
      ...(options.description && { description: options.description }),
      ...(options.example !== undefined && { example: options.example }),
    } as ApiPropertyOptions),
    Transform(({ value }) => (typeof value === 'string' ? [...new Set(value.split(','))] : (value as unknown))),
    ValidateIf((_, value) => value !== undefined),
    IsArray(),
    IsIn(values, { each: true }),
  );
}

/** One of a few words in a query, with the one that holds when none is given. */
export function Choice(values: readonly string[], fallback: string): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ type: 'string', enum: [...values], default: fallback, required: false }),
    IsIn(values),
  );
}
