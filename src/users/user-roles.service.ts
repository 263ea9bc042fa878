import { Injectable } from '@nestjs/common';
import { accessibleWhere, rowOf } from '../access/ability';
import type { Actor } from '../access/actor';
import { assertMayGrant, authorize } from '../access/authorize';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { type FieldError, InvalidInputError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { TenantDb, type TenantTx } from '../database/tenant-db';
import { type RoleRow, RolesRepository } from '../roles/roles.repository';
import { permissionsOfRow, toPermissionDto } from '../roles/to-role-dto';
import { toAssignedRoleDtos } from './to-user-dto';
import type {
  AssignRoleDto,
  EffectivePermissionsDto,
  ReplaceRolesDto,
  RoleAssignmentDto,
  UserRolesDto,
} from './user-role.dto';
import { type HeldRoleRow, UserRolesRepository } from './user-roles.repository';
import { type PartialUserRow, UsersRepository } from './users.repository';

type PointerOf = (index: number) => string;

/** Who holds which role, within the rule that nobody gives or takes what they do not hold. */
@Injectable()
export class UserRolesService {
  constructor(
    private readonly db: TenantDb,
    private readonly users: UsersRepository,
    private readonly roles: RolesRepository,
    private readonly userRoles: UserRolesRepository,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async list(actor: Actor, userId: string): Promise<UserRolesDto> {
    return this.db.run(actor.tenantId, async (tx) => this.answer(tx, actor, await this.findUser(tx, actor, userId)));
  }

  /** What the user may do now, each permission with the role that gives it. */
  async permissions(actor: Actor, userId: string): Promise<EffectivePermissionsDto> {
    return this.db.run(actor.tenantId, async (tx) => {
      const user = await this.findUser(tx, actor, userId);
      if (user.status !== 'active') return { data: [] };
      const held = await this.userRoles.list(tx, userId, this.clock.now());
      const readable = held.filter(({ role }) => actor.ability.can('read', rowOf('Role', role)));
      return {
        data: readable.flatMap(({ role }) =>
          permissionsOfRow(role).map((permission) => ({
            ...toPermissionDto(permission),
            role: { id: role.id, name: role.name, system: role.systemKey },
          })),
        ),
      };
    });
  }

  /** Replaces all roles of the user. @throws ConflictError when no owner would remain */
  async replace(
    actor: Actor,
    userId: string,
    version: number | undefined,
    input: ReplaceRolesDto,
  ): Promise<UserRolesDto> {
    return this.change(actor, userId, version, async (tx, held) => {
      const kept = new Set(input.roles.map(({ roleId }) => roleId));
      await this.unassignWithin(
        tx,
        actor,
        userId,
        held.filter(({ role }) => !kept.has(role.id)),
      );
      await this.assignWithin(tx, actor, userId, changed(input.roles, held), (index) => `/roles/${index}/roleId`);
    });
  }

  /** Gives the user one role, or changes when it ends. */
  async assign(
    actor: Actor,
    userId: string,
    roleId: string,
    version: number | undefined,
    input: AssignRoleDto,
  ): Promise<UserRolesDto> {
    return this.change(actor, userId, version, async (tx, held) => {
      if (!(await this.roles.find(tx, roleId, accessibleWhere(actor.ability, 'read', 'Role'))))
        throw new NotFoundError('role');
      await this.assignWithin(tx, actor, userId, changed([{ roleId, ...input }], held), () => '/path/roleId');
    });
  }

  /** Takes one role from the user. @throws NotFoundError when the user does not hold it */
  async unassign(actor: Actor, userId: string, roleId: string, version: number | undefined): Promise<void> {
    await this.change(actor, userId, version, async (tx, held) => {
      const given = held.filter(({ role }) => role.id === roleId);
      if (given.length === 0) throw new NotFoundError('role');
      await this.unassignWithin(tx, actor, userId, given);
    });
  }

  /**
   * Gives roles within a transaction of the caller's.
   * @throws InvalidInputError for a role that does not exist here
   * @throws ForbiddenError for a role that gives more than the actor holds
   */
  async assignWithin(
    tx: TenantTx,
    actor: Actor,
    userId: string,
    assignments: readonly RoleAssignmentDto[],
    pointerOf: PointerOf,
  ): Promise<void> {
    if (assignments.length === 0) return;
    const found = await this.roles.findMany(
      tx,
      assignments.map(({ roleId }) => roleId),
    );
    const rows = assignments.map(({ roleId }) =>
      found.find((row) => row.id === roleId && actor.ability.can('read', rowOf('Role', row))),
    );
    const now = this.clock.now();
    const errors = assignments.flatMap((assignment, index) => faultOf(assignment, rows[index], pointerOf(index), now));
    if (errors.length > 0) throw new InvalidInputError(errors);
    for (const [index, { roleId, expiresAt }] of assignments.entries()) {
      const role = rows[index]!;
      authorize(actor, 'assign', 'Role', role);
      assertMayGrant(actor, permissionsOfRow(role), pointerOf(index));
      await this.userRoles.assign(tx, userId, roleId, expiresAt ? new Date(expiresAt) : null);
      await this.record(tx, actor, 'role.assigned', userId, { roleId, role: role.name, expiresAt: expiresAt ?? null });
    }
  }

  private async unassignWithin(
    tx: TenantTx,
    actor: Actor,
    userId: string,
    held: readonly HeldRoleRow[],
  ): Promise<void> {
    for (const { role } of held) {
      authorize(actor, 'assign', 'Role', role);
      assertMayGrant(actor, permissionsOfRow(role), '/path/userId');
      await this.record(tx, actor, 'role.unassigned', userId, { roleId: role.id, role: role.name });
    }
    await this.userRoles.unassign(
      tx,
      userId,
      held.map(({ role }) => role.id),
    );
  }

  /** One change to a user's roles: in turn with others that touch owners, under the version that the caller saw. */
  private async change(
    actor: Actor,
    userId: string,
    version: number | undefined,
    work: (tx: TenantTx, held: HeldRoleRow[]) => Promise<void>,
  ): Promise<UserRolesDto> {
    return this.db.run(actor.tenantId, async (tx) => {
      await this.userRoles.lockOwners(tx);
      const user = await this.findUser(tx, actor, userId);
      if (version !== undefined && version !== user.version) throw new PreconditionFailedError();
      await work(tx, await this.userRoles.list(tx, userId, this.clock.now()));
      await this.userRoles.assertOwnerRemains(tx);
      const after = await this.users.update(tx, userId, user.version!, {}, this.clock.now());
      return this.answer(tx, actor, after);
    });
  }

  private async answer(tx: TenantTx, actor: Actor, user: PartialUserRow): Promise<UserRolesDto> {
    const held = await this.userRoles.list(tx, user.id, this.clock.now());
    return { data: toAssignedRoleDtos(actor, held), version: user.version! };
  }

  private async findUser(tx: TenantTx, actor: Actor, userId: string): Promise<PartialUserRow> {
    const row = await this.users.find(tx, userId, accessibleWhere(actor.ability, 'read', 'User', ['roles']));
    if (!row) throw new NotFoundError('user');
    return row;
  }

  private record(
    tx: TenantTx,
    actor: Actor,
    action: 'role.assigned' | 'role.unassigned',
    userId: string,
    role: object,
  ): Promise<void> {
    const values = action === 'role.assigned' ? { after: role } : { before: role };
    return this.audit.record(tx, actor, { action, target: { type: 'User', id: userId }, ...values });
  }
}

/** The assignments that differ from what is held. */
function changed(wanted: readonly RoleAssignmentDto[], held: readonly HeldRoleRow[]): RoleAssignmentDto[] {
  const endOf = (expiresAt: string | Date | null | undefined): number | null =>
    expiresAt ? new Date(expiresAt).getTime() : null;
  return wanted.filter(({ roleId, expiresAt }) => {
    const now = held.find(({ role }) => role.id === roleId);
    return !now || endOf(now.expiresAt) !== endOf(expiresAt);
  });
}

function faultOf(
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
