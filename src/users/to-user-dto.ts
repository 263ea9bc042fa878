import { rowOf } from '../access/ability';
import type { Actor } from '../access/actor';
import { visible } from '../access/visible';
import type { UserDto } from './user.dto';
import type { AssignedRoleDto, RoleRefDto } from './user-role.dto';
import type { AssignedRoleRow } from './user-roles.repository';
import type { UserRow } from './users.repository';

/** What of a user may leave the house. */
export function toUserDto(row: UserRow): UserDto {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    status: row.status,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    version: row.version,
  };
}

/** What of a role may stand beside what it gives: of its fields, those that the actor may read. */
export function toRoleRefDto(actor: Actor, role: AssignedRoleRow['role']): RoleRefDto {
  return visible(actor, 'Role', role, { id: role.id, name: role.name, system: role.systemKey });
}

/** The held roles that the actor may read. */
export function toAssignedRoleDtos(actor: Actor, rows: readonly AssignedRoleRow[]): AssignedRoleDto[] {
  return rows
    .filter(({ role }) => actor.ability.can('read', rowOf('Role', role)))
    .map(({ role, expiresAt }) => ({ ...toRoleRefDto(actor, role), expiresAt: expiresAt?.toISOString() ?? null }));
}
