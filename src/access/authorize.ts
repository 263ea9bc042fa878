import { isDeepStrictEqual } from 'node:util';
import { type FieldError, ForbiddenError } from '../common/errors';
import { accessDenied } from './access-denied';
import { rowOf } from './ability';
import type { Actor } from './actor';
import type { ActionOn, TenantSubject } from './permissions';
import type { Permission } from './system-roles';

/**
 * May the actor do this to this very row, and write these fields of it?
 * @throws ForbiddenError `permission_missing`, or `field_not_permitted` naming each field
 */
export function authorize<S extends TenantSubject>(
  actor: Actor,
  action: ActionOn<S>,
  subject: S,
  row: { id: string },
  fields: readonly string[] = [],
): void {
  const target = rowOf(subject, row);
  const deny = (error: ForbiddenError): never => {
    accessDenied.publish({ caller: actor, action, subject, targetId: row.id });
    throw error;
  };
  if (!actor.ability.can(action, target)) {
    deny(new ForbiddenError('permission_missing', `You lack the permission to ${action} this ${subject}.`));
  }
  const refused = fields.filter((field) => !actor.ability.can(action, target, field));
  if (refused.length > 0) {
    const errors: FieldError[] = refused.map((field) => ({
      pointer: `/${field}`,
      code: 'field_not_permitted',
      message: `You may not ${action} "${field}" of this ${subject}.`,
    }));
    deny(new ForbiddenError('field_not_permitted', errors.map((error) => error.message).join(' '), errors));
  }
}

/**
 * Nobody grants what they do not hold, neither by a role's permissions nor by giving the role.
 * @param pointer to what gives the permissions; their places in the body's own `permissions` when it is absent
 * @throws ForbiddenError `permission_not_held`, naming each permission
 */
export function assertMayGrant(actor: Actor, permissions: readonly Permission[], pointer?: string): void {
  const errors: FieldError[] = permissions.flatMap((permission, index) =>
    holds(actor, permission, permissions)
      ? []
      : [
          {
            pointer: pointer ?? `/permissions/${index}`,
            code: 'permission_not_held',
            message: `You do not hold ${permission.action} ${permission.subject} to this extent, so you cannot give it or take it.`,
          },
        ],
  );
  if (errors.length === 0) return;
  accessDenied.publish({ caller: actor, action: 'grant', subject: 'Role' });
  throw new ForbiddenError('permission_not_held', 'Nobody grants what they do not hold.', errors);
}

/**
 * Taking a prohibition away gives what it forbade, so nobody lifts one from what they do not hold: not their own either.
 * @throws ForbiddenError `permission_not_held`
 */
export function assertMayLift(actor: Actor, permissions: readonly Permission[], pointer: string): void {
  const given = permissions.filter(({ inverted }) => inverted).map((rule) => ({ ...rule, inverted: false }));
  assertMayGrant(actor, given, pointer);
}

/**
 * Does the actor hold at least what `granted` gives? A rule of theirs must cover it: without conditions or with the very
 * same ones, with all of its fields. What is forbidden to them must be forbidden in the grant too.
 */
function holds(actor: Actor, granted: Permission, all: readonly Permission[]): boolean {
  if (granted.inverted) return true; // a prohibition gives nothing
  const rules = actor.ability.rulesFor(granted.action, granted.subject);
  const covered = rules.some(
    (rule) =>
      !rule.inverted &&
      (!rule.conditions || isDeepStrictEqual(rule.conditions, granted.conditions)) &&
      (!rule.fields ||
        (granted.fields?.length ? granted.fields.every((field) => rule.fields?.includes(field)) : false)),
  );
  return (
    covered &&
    prohibitionsOn(actor, granted).every((prohibition) => all.some((rule) => isSameProhibition(rule, prohibition)))
  );
}

function prohibitionsOn(actor: Actor, { action, subject }: Permission) {
  return actor.ability.rules.filter((rule) => rule.inverted && rule.action === action && rule.subject === subject);
}

function isSameProhibition(
  rule: Permission,
  prohibition: { action: unknown; subject?: unknown; conditions?: unknown; fields?: unknown },
): boolean {
  return (
    rule.inverted === true &&
    rule.action === prohibition.action &&
    rule.subject === prohibition.subject &&
    isDeepStrictEqual(rule.conditions ?? undefined, prohibition.conditions) &&
    isDeepStrictEqual(rule.fields?.length ? rule.fields : undefined, prohibition.fields)
  );
}
