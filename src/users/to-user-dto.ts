import { rowOf } from '../access/ability';
import type { Actor } from '../access/actor';
import type { UserDto } from './user.dto';
import type { AssignedRoleDto } from './user-role.dto';
import type { HeldRoleRow } from './user-roles.repository';
import type { PartialUserRow } from './users.repository';

/** What of a user may leave the house; columns that were not read stay out. */
export function toUserDto(row: PartialUserRow): UserDto {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    status: row.status,
    createdAt: row.createdAt?.toISOString(),
    updatedAt: row.updatedAt?.toISOString(),
    version: row.version,
  };
}

/** The held roles that the actor may read. */
export function toAssignedRoleDtos(actor: Actor, rows: readonly HeldRoleRow[]): AssignedRoleDto[] {
  return rows
    .filter(({ role }) => actor.ability.can('read', rowOf('Role', role)))
    .map(({ role, expiresAt }) => ({
      id: role.id,
      name: role.name,
      system: role.systemKey,
      expiresAt: expiresAt?.toISOString() ?? null,
    }));
}
