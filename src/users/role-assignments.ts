import type { FieldError } from '../common/errors';
import type { RoleRow } from '../roles/roles.repository';
import type { RoleAssignmentDto } from './user-role.dto';
import type { HeldRoleRow } from './user-roles.repository';

/** The assignments that differ from what is held. */
export function changedAssignments(
  wanted: readonly RoleAssignmentDto[],
  held: readonly HeldRoleRow[],
): RoleAssignmentDto[] {
  const endOf = (expiresAt: string | Date | null | undefined): number | null =>
    expiresAt ? new Date(expiresAt).getTime() : null;
  return wanted.filter(({ roleId, expiresAt }) => {
    const now = held.find(({ role }) => role.id === roleId);
    return !now || endOf(now.expiresAt) !== endOf(expiresAt);
  });
}

/** What is wrong with an assignment: the role is none that the actor can see, or it would end before it begins. */
export function faultsOf(
  { expiresAt }: RoleAssignmentDto,
  role: RoleRow | undefined,
  pointer: string,
  now: Date,
): FieldError[] {
  if (!role) return [{ pointer, code: 'unknown_role', message: 'There is no such role in this tenant.' }];
  if (expiresAt && new Date(expiresAt) <= now) {
    return [
      {
        pointer: pointer.replace(/(roleId)$/, 'expiresAt'),
        code: 'in_the_past',
        message: 'expiresAt must lie in the future.',
      },
    ];
  }
  return [];
}
