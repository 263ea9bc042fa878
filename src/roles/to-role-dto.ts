import { permissionsOf } from '../access/actors.service';
import type { Permission } from '../access/system-roles';
import type { RoleDto } from './role.dto';
import type { RoleRow } from './roles.repository';

/** A stored role's permissions, or a system role's. */
export function permissionsOfRow(row: Pick<RoleRow, 'systemKey' | 'permissions'>): Permission[] {
  const stored = row.permissions.map(({ conditions, fields, ...rule }) => ({
    ...rule,
    conditions: (conditions as Record<string, unknown> | null) ?? undefined,
    fields: fields.length > 0 ? fields : undefined,
  }));
  return [...permissionsOf({ systemKey: row.systemKey, permissions: stored })];
}

/** What of a role may leave the house. */
export function toRoleDto(row: RoleRow): RoleDto {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    system: row.systemKey,
    permissions: permissionsOfRow(row).map(toPermissionDto),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    version: row.version,
  };
}

/** A permission as the API shows it: what says nothing is left out. */
export function toPermissionDto({ subject, action, conditions, fields, inverted }: Permission) {
  return {
    subject,
    action,
    ...(conditions && { conditions }),
    ...(fields?.length && { fields }),
    ...(inverted && { inverted }),
  };
}
