import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import { accessibleWhere } from '../access/ability';
import type { Actor } from '../access/actor';
import { assertMayGrant, assertMayLift, authorize } from '../access/authorize';
import type { Permission } from '../access/system-roles';
import { visible } from '../access/visible';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { ForbiddenError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { fieldsToldBy, orderOf, toPage } from '../common/keyset';
import type { Page } from '../common/page.dto';
import { TenantDb, type TenantTx } from '../database/tenant-db';
import { normalizeConditions } from './normalize-conditions';
import type { PermissionDto } from './permission.dto';
import { type CreateRoleDto, type ListRolesQuery, ROLE_SORTS, type RoleDto, type UpdateRoleDto } from './role.dto';
import { newRoleRow, type RoleRow, RolesRepository } from './roles.repository';
import { permissionsOfRow, toPermissionDto, toRoleDto } from './to-role-dto';

@Injectable()
export class RolesService {
  constructor(
    private readonly db: TenantDb,
    private readonly roles: RolesRepository,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async list(actor: Actor, query: ListRolesQuery): Promise<Page<RoleDto>> {
    const order = orderOf(ROLE_SORTS, query.sort);
    const accessible = accessibleWhere(actor.ability, 'read', 'Role', [
      ...fieldsToldBy(order),
      ...(query.q ? ['name'] : []),
    ]);
    const rows = await this.db.read(actor.tenantId, (tx) => this.roles.list(tx, query, order, accessible), {
      staleness: 'allowed',
    });
    return toPage(rows, query.limit, order, (row) => visible(actor, 'Role', row, toRoleDto(row), query.fields));
  }

  /** @throws NotFoundError when there is none that the actor may read */
  async read(actor: Actor, id: string, fields?: readonly string[]): Promise<RoleDto> {
    const row = await this.db.read(actor.tenantId, (tx) => this.find(tx, actor, id));
    return visible(actor, 'Role', row, toRoleDto(row), fields);
  }

  /** @throws ForbiddenError when the role would hold a permission that its author does not */
  async create(actor: Actor, input: CreateRoleDto): Promise<RoleDto> {
    const permissions = input.permissions.map(toPermission);
    assertMayGrant(actor, permissions);
    const row = newRoleRow({ name: input.name, description: input.description ?? '', permissions }, this.clock.now());
    authorize(actor, 'create', 'Role', row, namesOf(input));
    const recording = this.audit.recording(actor.tenantId, actor, {
      action: 'role.created',
      target: { type: 'Role', id: row.id },
      after: toRoleDto(row),
    });
    await this.roles.add(this.db, actor.tenantId, row, recording);
    return visible(actor, 'Role', row, toRoleDto(row));
  }

  /**
   * @param version of the role as the caller read it; undefined: whichever it is
   * @throws ForbiddenError for a system role, a role above the actor's own, or one that would rise above it
   */
  async update(actor: Actor, id: string, version: number | undefined, input: UpdateRoleDto): Promise<RoleDto> {
    const permissions = input.permissions?.map(toPermission);
    return this.db.run(actor.tenantId, async (tx) => {
      const before = await this.findEditable(tx, actor, id, version);
      const fields = namesOf(input);
      authorize(actor, 'update', 'Role', before, fields);
      assertMayGrant(actor, permissionsOfRow(before));
      if (fields.length === 0) return visible(actor, 'Role', before, toRoleDto(before));
      if (permissions) await this.assertMayReplace(tx, actor, before, permissions);
      const change = {
        name: input.name,
        description: input.description === null ? '' : input.description,
        permissions,
      };
      const after = await this.roles.update(tx, id, before.version, change, this.clock.now());
      await this.audit.record(tx, actor, {
        action: 'role.updated',
        target: { type: 'Role', id },
        before: toRoleDto(before),
        after: toRoleDto(after),
      });
      return visible(actor, 'Role', after, toRoleDto(after));
    });
  }

  /** @throws ConflictError while users hold the role */
  async delete(actor: Actor, id: string, version: number | undefined): Promise<void> {
    await this.db.run(actor.tenantId, async (tx) => {
      const before = await this.findEditable(tx, actor, id, version);
      authorize(actor, 'delete', 'Role', before);
      assertMayGrant(actor, permissionsOfRow(before));
      await this.roles.delete(tx, id, before.version, this.clock.now());
      await this.audit.record(tx, actor, {
        action: 'role.deleted',
        target: { type: 'Role', id },
        before: toRoleDto(before),
      });
    });
  }

  /** The new permissions are held, no prohibition is lifted that binds the actor, and none is laid on somebody above. */
  private async assertMayReplace(tx: TenantTx, actor: Actor, role: RoleRow, after: Permission[]): Promise<void> {
    const before = permissionsOfRow(role);
    assertMayGrant(actor, after);
    assertMayLift(actor, without(before, after), '/permissions');
    const laid = without(after, before).find(({ inverted }) => inverted);
    if (!laid) return;
    const held = await this.roles.findOfHolders(tx, role.id);
    assertMayGrant(actor, held.flatMap(permissionsOfRow), `/permissions/${after.indexOf(laid)}`);
  }

  private async find(tx: TenantTx, actor: Actor, id: string): Promise<RoleRow> {
    const row = await this.roles.find(tx, id, accessibleWhere(actor.ability, 'read', 'Role'));
    if (!row) throw new NotFoundError('role');
    return row;
  }

  private async findEditable(tx: TenantTx, actor: Actor, id: string, version: number | undefined): Promise<RoleRow> {
    const row = await this.find(tx, actor, id);
    if (row.systemKey)
      throw new ForbiddenError('system_role', 'System roles cannot be changed. Make a role of your own.');
    if (version !== undefined && version !== row.version) throw new PreconditionFailedError();
    return row;
  }
}

function toPermission({ subject, action, conditions, fields, inverted }: PermissionDto): Permission {
  return {
    subject,
    action,
    conditions: conditions ? normalizeConditions(conditions) : undefined,
    fields: fields?.length ? fields : undefined,
    inverted: inverted ?? undefined,
  };
}

/** The permissions that are not among `others`. */
function without(permissions: readonly Permission[], others: readonly Permission[]): Permission[] {
  const known = others.map(toPermissionDto);
  return permissions.filter((rule) => !known.some((other) => isDeepStrictEqual(other, toPermissionDto(rule))));
}

/** The properties that the caller sent. */
function namesOf(input: CreateRoleDto | UpdateRoleDto): string[] {
  return Object.entries(input).flatMap(([name, value]) => (value === undefined ? [] : [name]));
}
