import { type Ability, subject as asSubject } from '@casl/ability';
import { permittedFieldsOf, rulesToCondition } from '@casl/ability/extra';
import { accessibleBy, createPrismaAbility, type PrismaQuery } from '@casl/prisma';
import {
  CATALOGUE,
  ME,
  OWN_PERMISSIONS,
  PLATFORM_PERMISSIONS,
  SUBJECT_FIELDS,
  type TenantSubject,
} from './permissions';
import type { Permission } from './system-roles';

export type AppAbility = Ability<[string, string | object], PrismaQuery>;

const pairsOf = (catalogue: Record<string, Record<string, string>>): Permission[] =>
  Object.entries(catalogue).flatMap(([subject, actions]) =>
    Object.keys(actions).map((action) => ({ subject, action })),
  );

const OWN = pairsOf(OWN_PERMISSIONS);
const PLATFORM = pairsOf(PLATFORM_PERMISSIONS);

/** The permissions of a platform administrator: the platform's, and in any tenant everything. */
export const ADMINISTRATOR_PERMISSIONS: readonly Permission[] = [...PLATFORM, ...CATALOGUE];

/**
 * What somebody may do. Inverted permissions come last and so win over direct ones, whichever role they stand in:
 * a prohibition holds for all of a person's roles (docs/access-control.md).
 * @param me the user's id in the tenant, for `$me` in conditions
 */
export function buildAbility(permissions: readonly Permission[], me?: string): AppAbility {
  const rules = [
    ...OWN,
    ...permissions.filter((rule) => !rule.inverted),
    ...permissions.filter((rule) => rule.inverted),
  ];
  return createPrismaAbility<AppAbility>(rules.map((rule) => toRule(rule, me)));
}

function toRule({ action, subject, conditions, fields, inverted }: Permission, me: string | undefined) {
  return {
    action,
    subject,
    ...(conditions && { conditions: withMe(conditions, me) as PrismaQuery }),
    ...(fields?.length && { fields: [...fields] }),
    ...(inverted && { inverted }),
  };
}

function withMe(value: unknown, me: string | undefined): unknown {
  // Nobody has the empty id: who is not a user of the tenant meets no `$me`.
  if (value === ME) return me ?? '00000000-0000-0000-0000-000000000000';
  if (Array.isArray(value)) return value.map((part) => withMe(part, me));
  if (value && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, withMe(part, me)]));
  }
  return value;
}

/** A loaded row, for checks that must see its conditions. The row itself stays unmarked. */
export function rowOf(subject: TenantSubject, row: object): object {
  return asSubject(subject, { ...row });
}

const NOTHING = { id: { in: [] } };

/**
 * The rows of `subject` on which `action` is allowed, as a condition to stand in an `AND: […]` of a Prisma query.
 * `fields` narrows to rows whose named fields may be read too: by what a caller can't read, he can't sort or filter.
 * Never spread it: a second `OR` would replace its own (spike/README.md, "the naive forms leak").
 */
export function accessibleWhere(
  ability: AppAbility,
  action: string,
  subject: TenantSubject,
  fields: readonly string[] = [],
): object {
  return remembered(ability, `where ${action} ${subject} ${fields.join()}`, () =>
    conditionOf(ability, action, subject, fields),
  );
}

/** Does a condition of accessibleWhere leave out no row? Then a statement of our own may do without it. */
export function isUnconditional(where: object): boolean {
  const parts = Object.values(where) as object[][];
  return 'AND' in where && parts.length === 1 && parts[0]!.every((part) => Object.keys(part).length === 0);
}

/** What follows from an ability alone; abilities are shared by all requests of those who hold the same. */
const derived = new WeakMap<AppAbility, Map<string, object>>();

function remembered<Derived extends object>(ability: AppAbility, name: string, derive: () => Derived): Derived {
  let known = derived.get(ability);
  if (!known) derived.set(ability, (known = new Map<string, object>()));
  let value = known.get(name) as Derived | undefined;
  if (!value) known.set(name, (value = derive()));
  return value;
}

function conditionOf(ability: AppAbility, action: string, subject: TenantSubject, fields: readonly string[]): object {
  const conditions = [
    accessibleBy(ability as never, action as never).ofType(subject as never) as object,
    ...fields.map((field) => fieldCondition(ability, action, subject, field)),
  ].map((condition) => (isImpossible(condition) ? NOTHING : condition));
  return { AND: conditions };
}

function fieldCondition(ability: AppAbility, action: string, subject: TenantSubject, field: string): object {
  const where = rulesToCondition(
    ability.rulesFor(action, subject, field),
    (rule) => (rule.inverted ? { NOT: rule.conditions as object } : (rule.conditions as object)),
    { and: (AND): object => ({ AND }), or: (OR): object => ({ OR }), empty: (): object => ({}) },
  );
  return where ?? NOTHING;
}

function isImpossible(condition: object): boolean {
  return 'OR' in condition && Array.isArray(condition.OR) && condition.OR.length === 0;
}

/** The fields of a loaded row that may be read (or written, by `action`). */
export function permittedFields(
  ability: AppAbility,
  action: string,
  subject: TenantSubject,
  row: object,
): ReadonlySet<string> {
  const { onAll } = remembered(ability, `fields ${action} ${subject}`, () => {
    // Not rulesFor(): without a field it leaves out prohibitions of fields.
    const isSameOnAll = ability.possibleRulesFor(action, subject).every(({ conditions }) => !conditions);
    return { onAll: isSameOnAll ? fieldsOf(ability, action, subject, row) : undefined };
  });
  return onAll ?? fieldsOf(ability, action, subject, row);
}

function fieldsOf(ability: AppAbility, action: string, subject: TenantSubject, row: object): Set<string> {
  const all = SUBJECT_FIELDS[subject].fields;
  return new Set(
    permittedFieldsOf(ability, action, rowOf(subject, row), { fieldsFrom: (rule) => rule.fields ?? [...all] }),
  );
}
