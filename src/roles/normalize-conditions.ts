import { lowerCaseId } from '../common/id';
import { normalizeEmail } from '../common/text';

type Conditions = Record<string, unknown>;

/** How the values of a field are stored. A condition that says the same in other letters would match no row. */
const FORMS: Record<string, (value: string) => unknown> = { id: lowerCaseId, email: normalizeEmail };

/** Conditions with their values in the form in which rows have them, so that a prohibition cannot miss what it means. */
export function normalizeConditions(conditions: Conditions): Conditions {
  return Object.fromEntries(Object.entries(conditions).map(([field, test]) => [field, normalized(test, FORMS[field])]));
}

function normalized(test: unknown, form: ((value: string) => unknown) | undefined): unknown {
  if (!form) return test;
  if (typeof test === 'string') return form(test);
  if (Array.isArray(test)) return test.map((value) => normalized(value, form));
  return Object.fromEntries(
    Object.entries(test as Conditions).map(([operator, operand]) => [operator, normalized(operand, form)]),
  );
}
