import { isUUID, registerDecorator, type ValidationArguments } from 'class-validator';
import { ME, PERMISSIONS, SUBJECT_FIELDS, type TenantSubject } from '../access/permissions';
import { isStorableText } from '../common/text';

const OPERATORS = ['equals', 'not', 'in', 'notIn'];
const MAX_VALUES = 100;
const MAX_VALUE_LENGTH = 300;

interface WithSubject {
  subject?: unknown;
}

/** The action is one of those that the subject knows. */
export function IsActionOfSubject(): PropertyDecorator {
  return forSubject(
    'unknownAction',
    (value, subject) => typeof value === 'string' && Object.hasOwn(PERMISSIONS[subject], value),
    (subject) => `$property must be one of: ${Object.keys(PERMISSIONS[subject]).join(', ')}`,
  );
}

/** Every field is one that the subject has. */
export function IsFieldsOfSubject(): PropertyDecorator {
  return forSubject(
    'unknownField',
    (value, subject) =>
      Array.isArray(value) &&
      value.every((field) => (SUBJECT_FIELDS[subject].fields as readonly unknown[]).includes(field)),
    (subject) => `each of $property must be one of: ${SUBJECT_FIELDS[subject].fields.join(', ')}`,
  );
}

/**
 * Conditions that are safe to become part of a query: known fields, known operators, text within bounds. Anything else
 * that Prisma takes (relations, nested AND/OR) stays out.
 */
export function IsConditionsOfSubject(): PropertyDecorator {
  return forSubject(
    'invalidConditions',
    (value, subject) => isConditions(value, SUBJECT_FIELDS[subject].conditions),
    (subject) =>
      `$property must name one or more of ${SUBJECT_FIELDS[subject].conditions.join(', ')}, each with a text or with one of ${OPERATORS.join(', ')}; an id is a UUID or ${ME}`,
  );
}

function isConditions(value: unknown, fields: readonly string[]): boolean {
  if (!isPlainObject(value)) return false;
  const entries = Object.entries(value);
  return entries.length > 0 && entries.every(([field, test]) => fields.includes(field) && isTest(test, field));
}

function isTest(test: unknown, field: string): boolean {
  if (!isPlainObject(test)) return isValue(test, field);
  const entries = Object.entries(test);
  return (
    entries.length === 1 &&
    entries.every(([operator, operand]) => OPERATORS.includes(operator) && isOperand(operator, operand, field))
  );
}

function isOperand(operator: string, operand: unknown, field: string): boolean {
  if (operator === 'equals' || operator === 'not') return isValue(operand, field);
  return (
    Array.isArray(operand) &&
    operand.length > 0 &&
    operand.length <= MAX_VALUES &&
    operand.every((value) => isValue(value, field))
  );
}

function isValue(value: unknown, field: string): boolean {
  if (typeof value !== 'string' || value.length > MAX_VALUE_LENGTH || !isStorableText(value)) return false;
  return field === 'id' ? value === ME || isUUID(value) : true;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function forSubject(
  name: string,
  isValid: (value: unknown, subject: TenantSubject) => boolean,
  message: (subject: TenantSubject) => string,
): PropertyDecorator {
  const subjectOf = (args?: ValidationArguments): TenantSubject | undefined => {
    const { subject } = (args?.object ?? {}) as WithSubject;
    return typeof subject === 'string' && Object.hasOwn(PERMISSIONS, subject) ? (subject as TenantSubject) : undefined;
  };
  return (target, propertyName) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: propertyName as string,
      validator: {
        validate: (value, args) => {
          const subject = subjectOf(args);
          return subject !== undefined && isValid(value, subject);
        },
        defaultMessage: (args) => {
          const subject = subjectOf(args);
          return subject ? message(subject) : '$property cannot be checked before subject is a known one';
        },
      },
    });
}
