import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import type { Recording } from '../audit/audit-events.repository';
import { ConflictError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { newId } from '../common/id';
import type { Order } from '../common/keyset';
import { normalizeName } from '../common/text';
import { asConflict } from '../database/database-errors';
import type { TenantDb, TenantTx } from '../database/tenant-db';
import { type Permission, SYSTEM_ROLE_KEYS, SYSTEM_ROLES } from '../access/system-roles';
import type { ListRolesQuery } from './role.dto';
import { rolesStatement } from './role-statements.repository';

const permissions = {
  select: { subject: true, action: true, conditions: true, fields: true, inverted: true },
  orderBy: { position: 'asc' },
} satisfies Prisma.Role$permissionsArgs;

const roleColumns = {
  id: true,
  systemKey: true,
  name: true,
  nameKey: true,
  description: true,
  version: true,
  createdAt: true,
  updatedAt: true,
  permissions,
} satisfies Prisma.RoleSelect;

export type RoleRow = Prisma.RoleGetPayload<{ select: typeof roleColumns }>;
const NAME_TAKEN = { code: 'role_name_taken', pointer: '/name', message: 'Another role of this tenant has this name.' };

/** A role that is there from now on. */
export function newRoleRow(
  role: { name: string; description: string; permissions: readonly Permission[] },
  now: Date,
): RoleRow {
  return {
    id: newId(),
    systemKey: null,
    name: role.name,
    nameKey: normalizeName(role.name),
    description: role.description,
    version: 1,
    createdAt: now,
    updatedAt: now,
    permissions: role.permissions.map(({ subject, action, conditions, fields, inverted }) => ({
      subject,
      action,
      conditions: (conditions as Prisma.JsonObject | undefined) ?? null,
      fields: fields ?? [],
      inverted: inverted ?? false,
    })),
  };
}

@Injectable()
export class RolesRepository {
  /**
   * Adds a role of the tenant's own, in one round trip.
   * @throws ConflictError when another role has its name
   */
  async add(db: TenantDb, tenantId: string, role: RoleRow, recording: Recording): Promise<void> {
    const { id, name, nameKey, description, version, createdAt, updatedAt } = role;
    const held = JSON.stringify(role.permissions.map((rule, position) => ({ ...rule, id: newId(), position })));
    try {
      await db.write(tenantId, [
        Prisma.sql`
          INSERT INTO app.roles (tenant_id, id, name, name_key, description, version, created_at, updated_at)
          VALUES (${tenantId}, ${id}, ${name}, ${nameKey}, ${description}, ${version}, ${createdAt}, ${updatedAt})`,
        Prisma.sql`
          INSERT INTO app.role_permissions (tenant_id, id, role_id, position, subject, action, conditions, fields, inverted)
          SELECT ${tenantId}, p.id, ${id}, p.position, p.subject, p.action, p.conditions, p.fields, p.inverted
          FROM jsonb_to_recordset(${held}) AS p (id uuid, position int, subject text, action text, conditions jsonb,
            fields text[], inverted boolean)`,
        recording(),
      ]);
    } catch (error) {
      throw asConflict(error, { roles_tenant_id_name_key_key: NAME_TAKEN });
    }
  }

  /** The roles that come with each tenant. @returns the id of the owner role */
  async createSystemRoles(tx: TenantTx): Promise<string> {
    const roles = SYSTEM_ROLE_KEYS.map((systemKey) => {
      const { name, description } = SYSTEM_ROLES[systemKey];
      return { tenantId: tx.tenantId, id: newId(), systemKey, name, nameKey: normalizeName(name), description };
    });
    await tx.role.createMany({ data: roles });
    return roles.find(({ systemKey }) => systemKey === 'owner')!.id;
  }

  find(tx: TenantTx, id: string, accessible: object = {}): Promise<RoleRow | null> {
    return tx.role.findFirst({ where: { tenantId: tx.tenantId, id, AND: [accessible] }, select: roleColumns });
  }

  /** Those of `ids` that exist. */
  findMany(tx: TenantTx, ids: readonly string[]): Promise<RoleRow[]> {
    return tx.role.findMany({ where: { tenantId: tx.tenantId, id: { in: [...ids] } }, select: roleColumns });
  }

  /** All roles of those who hold this one. */
  findOfHolders(tx: TenantTx, id: string): Promise<RoleRow[]> {
    const { tenantId } = tx;
    const holders = { tenantId, membership: { tenantId, roles: { some: { tenantId, roleId: id } } } };
    return tx.role.findMany({ where: { tenantId, memberships: { some: holders } }, select: roleColumns });
  }

  list(tx: TenantTx, query: ListRolesQuery, order: Order, accessible: object): Promise<RoleRow[]> {
    return tx.$queryRaw<RoleRow[]>(rolesStatement(tx.tenantId, query, order, accessible));
  }

  /**
   * @throws NotFoundError when it has gone
   * @throws PreconditionFailedError when its version is not `version` any more
   */
  async update(
    tx: TenantTx,
    id: string,
    version: number,
    change: { name?: string | undefined; description?: string | undefined; permissions?: Permission[] | undefined },
    now: Date,
  ): Promise<RoleRow> {
    const { tenantId } = tx;
    try {
      const { count } = await tx.role.updateMany({
        where: { tenantId, id, version },
        data: {
          ...(change.name !== undefined && { name: change.name, nameKey: normalizeName(change.name) }),
          ...(change.description !== undefined && { description: change.description }),
          version: { increment: 1 },
          updatedAt: now,
        },
      });
      if (count === 0) await this.assertExists(tx, id);
    } catch (error) {
      throw asConflict(error, { roles_tenant_id_name_key_key: NAME_TAKEN });
    }
    if (change.permissions) {
      await tx.rolePermission.deleteMany({ where: { tenantId, roleId: id } });
      await this.addPermissions(tx, id, change.permissions);
    }
    return this.read(tx, id);
  }

  /** @throws ConflictError when somebody still holds the role */
  async delete(tx: TenantTx, id: string, version: number, now: Date): Promise<void> {
    await tx.membershipRole.deleteMany({ where: { tenantId: tx.tenantId, roleId: id, expiresAt: { lte: now } } });
    try {
      const { count } = await tx.role.deleteMany({ where: { tenantId: tx.tenantId, id, version } });
      if (count === 0) await this.assertExists(tx, id);
    } catch (error) {
      if (error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003') {
        throw new ConflictError('role_in_use', 'Users still hold this role. Take it from them first.');
      }
      throw error;
    }
  }

  private read(tx: TenantTx, id: string): Promise<RoleRow> {
    return tx.role.findUniqueOrThrow({ where: { tenantId_id: { tenantId: tx.tenantId, id } }, select: roleColumns });
  }

  private async addPermissions(tx: TenantTx, roleId: string, added: readonly Permission[]): Promise<void> {
    await tx.rolePermission.createMany({
      data: added.map(({ subject, action, conditions, fields, inverted }, position) => ({
        tenantId: tx.tenantId,
        id: newId(),
        roleId,
        position,
        subject,
        action,
        conditions: (conditions as Prisma.InputJsonObject | undefined) ?? Prisma.DbNull,
        fields: fields ?? [],
        inverted: inverted ?? false,
      })),
    });
  }

  /** @throws always: what was meant has gone, or has another version */
  private async assertExists(tx: TenantTx, id: string): Promise<never> {
    throw (await this.find(tx, id)) ? new PreconditionFailedError() : new NotFoundError('role');
  }
}
