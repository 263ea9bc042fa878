import { Injectable } from '@nestjs/common';
import { accessibleWhere, rowOf } from '../access/ability';
import type { Actor } from '../access/actor';
import { assertMayGrant, assertMayLift, authorize } from '../access/authorize';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { InvalidInputError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { TenantDb, type TenantTx } from '../database/tenant-db';
import { RolesRepository } from '../roles/roles.repository';
import { permissionsOfRow, toPermissionDto } from '../roles/to-role-dto';
import { changedAssignments, faultsOf } from './role-assignments';
import { toAssignedRoleDtos, toRoleRefDto } from './to-user-dto';
import type {
  AssignRoleDto,
  EffectivePermissionsDto,
  ReplaceRolesDto,
  RoleAssignmentDto,
  UserRolesDto,
} from './user-role.dto';
import { type HeldRoleRow, UserRolesRepository } from './user-roles.repository';
import { type UserRow, UsersRepository } from './users.repository';

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
    const now = this.clock.now();
    const user = await this.db.read(actor.tenantId, (tx) => this.users.find(tx, userId, mayReadRolesOf(actor), now));
    if (!user) throw new NotFoundError('user');
    return { data: toAssignedRoleDtos(actor, user.roles ?? []), version: user.version };
  }

  /** What the user may do now, each permission with the role that gives it. */
  async permissions(actor: Actor, userId: string): Promise<EffectivePermissionsDto> {
    const now = this.clock.now();
    const user = await this.db.read(actor.tenantId, (tx) =>
      this.users.findWithPermissions(tx, userId, mayReadRolesOf(actor), now),
    );
    if (!user) throw new NotFoundError('user');
    if (user.status !== 'active') return { data: [] };
    const readable = user.roles.filter(({ role }) => actor.ability.can('read', rowOf('Role', role), 'permissions'));
    return {
      data: readable.flatMap(({ role }) =>
        permissionsOfRow(role).map((permission) => ({
          ...toPermissionDto(permission),
          role: toRoleRefDto(actor, role),
        })),
      ),
    };
  }

  /** Replaces all roles of the user that the actor may read. @throws ConflictError when no owner would remain */
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
      const changes = changedAssignments(input.roles, held);
      const pointerOf: PointerOf = (index) => `/roles/${input.roles.indexOf(changes[index]!)}/roleId`;
      this.assertMayChange(actor, changes, held, pointerOf);
      await this.assignWithin(tx, actor, userId, changes, pointerOf);
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
      const changes = changedAssignments([{ roleId, ...input }], held);
      const pointerOf: PointerOf = () => '/path/roleId';
      this.assertMayChange(actor, changes, held, pointerOf);
      await this.assignWithin(tx, actor, userId, changes, pointerOf);
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
    const errors = assignments.flatMap((assignment, index) => faultsOf(assignment, rows[index], pointerOf(index), now));
    if (errors.length > 0) throw new InvalidInputError(errors);
    for (const [index, { roleId, expiresAt }] of assignments.entries()) {
      const role = rows[index]!;
      const permissions = permissionsOfRow(role);
      authorize(actor, 'assign', 'Role', role);
      assertMayGrant(actor, permissions, pointerOf(index));
      if (permissions.some(({ inverted }) => inverted)) await this.assertNotAbove(tx, actor, userId, pointerOf(index));
      await this.userRoles.assign(tx, userId, roleId, expiresAt ? new Date(expiresAt) : null);
      await this.record(tx, actor, 'role.assigned', userId, { roleId, role: role.name, expiresAt: expiresAt ?? null });
    }
  }

  /**
   * Nobody takes anything from somebody whose roles give more than their own. Everybody may do it to themselves.
   * @throws ForbiddenError `permission_not_held`
   */
  async assertNotAbove(tx: TenantTx, actor: Actor, userId: string, pointer = '/path/userId'): Promise<void> {
    if (userId === actor.userId) return;
    const held = await this.userRoles.list(tx, userId, this.clock.now());
    assertMayGrant(
      actor,
      held.flatMap(({ role }) => permissionsOfRow(role)),
      pointer,
    );
  }

  /** A held role that gets another end may end sooner: that takes it away. */
  private assertMayChange(
    actor: Actor,
    changes: readonly RoleAssignmentDto[],
    held: readonly HeldRoleRow[],
    pointerOf: PointerOf,
  ): void {
    for (const [index, { roleId }] of changes.entries()) {
      const before = held.find(({ role }) => role.id === roleId);
      if (before) assertMayLift(actor, permissionsOfRow(before.role), pointerOf(index));
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
      assertMayLift(actor, permissionsOfRow(role), '/path/userId');
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
      const held = await this.userRoles.list(tx, userId, this.clock.now());
      // What the actor may not see stays as it is.
      await work(
        tx,
        held.filter(({ role }) => actor.ability.can('read', rowOf('Role', role))),
      );
      await this.userRoles.assertOwnerRemains(tx);
      const after = await this.users.update(tx, userId, user.version, {}, this.clock.now());
      return this.answer(tx, actor, after);
    });
  }

  private async answer(tx: TenantTx, actor: Actor, user: UserRow): Promise<UserRolesDto> {
    const held = await this.userRoles.list(tx, user.id, this.clock.now());
    return { data: toAssignedRoleDtos(actor, held), version: user.version };
  }

  private async findUser(tx: TenantTx, actor: Actor, userId: string): Promise<UserRow> {
    const row = await this.users.find(tx, userId, mayReadRolesOf(actor));
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

/** The users whose roles the actor may read. */
function mayReadRolesOf(actor: Actor): object {
  return accessibleWhere(actor.ability, 'read', 'User', ['roles']);
}
