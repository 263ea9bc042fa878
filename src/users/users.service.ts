import { Injectable } from '@nestjs/common';
import { accessibleWhere } from '../access/ability';
import type { Actor } from '../access/actor';
import { authorize } from '../access/authorize';
import { visible } from '../access/visible';
import type { AuditAction } from '../audit/audit-actions';
import { AuditLog } from '../audit/audit-log';
import { Clock } from '../common/clock';
import { ForbiddenError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { fieldsToldBy, orderOf, toPage } from '../common/keyset';
import type { Page } from '../common/page.dto';
import { PasswordsService } from '../credentials/passwords.service';
import { TenantDb, type TenantTx } from '../database/tenant-db';
import { toAssignedRoleDtos, toUserDto } from './to-user-dto';
import {
  type CreateUserDto,
  type ListUsersQuery,
  type ReadUserQuery,
  type UpdateUserDto,
  USER_SORTS,
  type UserDto,
} from './user.dto';
import { UserRolesRepository } from './user-roles.repository';
import { UserRolesService } from './user-roles.service';
import { type FoundUser, newUserRow, renamedUserRow, type UserRow, UsersRepository } from './users.repository';

@Injectable()
export class UsersService {
  constructor(
    private readonly db: TenantDb,
    private readonly users: UsersRepository,
    private readonly userRoles: UserRolesRepository,
    private readonly assignments: UserRolesService,
    private readonly passwords: PasswordsService,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  async list(actor: Actor, query: ListUsersQuery): Promise<Page<UserDto>> {
    const order = orderOf(USER_SORTS, query.sort);
    const accessible = {
      users: accessibleWhere(actor.ability, 'read', 'User', [...fieldsToldBy(order), ...fieldsUsedBy(query)]),
      roles: accessibleWhere(actor.ability, 'read', 'Role'),
    };
    const rows = await this.db.read(
      actor.tenantId,
      (tx) => this.users.list(tx, { query, order, accessible, now: this.clock.now() }),
      { staleness: 'allowed' },
    );
    return toPage(rows, query.limit, order, (row) => this.view(actor, row, query));
  }

  /** @throws NotFoundError when there is none that the actor may read */
  async read(actor: Actor, id: string, query: ReadUserQuery): Promise<UserDto> {
    const rolesAt = query.include?.includes('roles') ? this.clock.now() : undefined;
    const accessible = accessibleWhere(actor.ability, 'read', 'User');
    const row = await this.db.read(actor.tenantId, (tx) => this.users.find(tx, id, accessible, rolesAt));
    if (!row) throw new NotFoundError('user');
    return this.view(actor, row, query);
  }

  /**
   * Makes a person a user of the tenant, whether or not they have an account elsewhere: the answer does not tell.
   * @throws ForbiddenError when the roles give what the actor does not hold
   */
  async create(actor: Actor, input: CreateUserDto): Promise<UserDto> {
    // First: who may not add the person must not learn whether they are a user.
    const added = newUserRow(input, this.clock.now());
    authorize(actor, 'invite', 'User', added, ['email', 'name']);
    if (input.password === undefined && !input.roleIds?.length) return this.createAlone(actor, added);
    const passwordHash = await this.firstPassword(actor, input);
    return this.db.run(actor.tenantId, async (tx) => {
      const accountId = await this.users.ensureAccount(tx, { ...input, passwordHash, pointer: '/password' });
      const row = await this.users.create(tx, { accountId, email: input.email, name: input.name });
      await this.audit.record(tx, actor, {
        action: 'user.added',
        target: { type: 'User', id: row.id },
        after: toUserDto(row),
      });
      const roles = (input.roleIds ?? []).map((roleId) => ({ roleId, expiresAt: null }));
      await this.assignments.assignWithin(tx, actor, row.id, roles, (index) => `/roleIds/${index}`);
      return visible(actor, 'User', row, toUserDto(row));
    });
  }

  /**
   * @param version of the user as the caller read it; undefined: whichever it is
   * @throws ConflictError when the last owner would be suspended
   */
  async update(actor: Actor, id: string, version: number | undefined, input: UpdateUserDto): Promise<UserDto> {
    const { name, status } = input;
    if (name !== undefined && status === undefined) return this.rename(actor, id, version, name);
    return this.db.run(actor.tenantId, async (tx) => {
      if (status === 'suspended') await this.userRoles.lockOwners(tx);
      const before = await this.find(tx, actor, id, version);
      const fields = (['name', 'status'] as const).filter((field) => input[field] !== undefined);
      authorize(actor, 'update', 'User', before, fields);
      if (fields.length === 0) return visible(actor, 'User', before, toUserDto(before));
      if (status !== undefined && status !== before.status) await this.assignments.assertNotAbove(tx, actor, id);
      const after = await this.users.update(tx, id, before.version, input, this.clock.now());
      if (status === 'suspended') await this.userRoles.assertOwnerRemains(tx);
      await this.audit.record(tx, actor, {
        action: changeOf(before, after),
        target: { type: 'User', id },
        before: toUserDto(before),
        after: toUserDto(after),
      });
      return visible(actor, 'User', after, toUserDto(after));
    });
  }

  /** Takes the user out of the tenant; the person's account stays. @throws ConflictError for the last owner */
  async remove(actor: Actor, id: string, version: number | undefined): Promise<void> {
    await this.db.run(actor.tenantId, async (tx) => {
      await this.userRoles.lockOwners(tx);
      const before = await this.find(tx, actor, id, version);
      authorize(actor, 'remove', 'User', before);
      await this.assignments.assertNotAbove(tx, actor, id);
      await this.users.delete(tx, id);
      await this.userRoles.assertOwnerRemains(tx);
      await this.audit.record(tx, actor, {
        action: 'user.removed',
        target: { type: 'User', id },
        before: toUserDto(before),
      });
    });
  }

  /** Without password and roles nothing has to be asked first. */
  private async createAlone(actor: Actor, row: UserRow): Promise<UserDto> {
    const target = { type: 'User', id: row.id };
    const recording = this.audit.recording(actor.tenantId, actor, {
      action: 'user.added',
      target,
      after: toUserDto(row),
    });
    await this.users.add(this.db, actor.tenantId, row, recording);
    return visible(actor, 'User', row, toUserDto(row));
  }

  /** No other row is concerned, so nothing has to be locked: the version that was read decides. */
  private async rename(actor: Actor, id: string, version: number | undefined, name: string): Promise<UserDto> {
    const before = await this.db.read(actor.tenantId, (tx) => this.find(tx, actor, id, version));
    authorize(actor, 'update', 'User', before, ['name']);
    const after = renamedUserRow(before, name, this.clock.now());
    const recording = this.audit.recording(actor.tenantId, actor, {
      action: 'user.updated',
      target: { type: 'User', id },
      before: toUserDto(before),
      after: toUserDto(after),
    });
    await this.users.rename(this.db, actor.tenantId, before, after, recording);
    return visible(actor, 'User', after, toUserDto(after));
  }

  private async firstPassword(actor: Actor, { password, email, name }: CreateUserDto): Promise<string | undefined> {
    if (password === undefined) return undefined;
    if (!actor.isPlatformAdministrator) {
      // Whoever could set it could learn, by signing in, whether the account is new.
      const message = 'Only platform administrators set first passwords.';
      throw new ForbiddenError('field_not_permitted', message, [
        { pointer: '/password', code: 'field_not_permitted', message },
      ]);
    }
    this.passwords.assertAcceptable(password, [email, name], '/password');
    return this.passwords.hash(password);
  }

  private async find(tx: TenantTx, actor: Actor, id: string, version: number | undefined): Promise<UserRow> {
    const row = await this.users.find(tx, id, accessibleWhere(actor.ability, 'read', 'User'));
    if (!row) throw new NotFoundError('user');
    if (version !== undefined && version !== row.version) throw new PreconditionFailedError();
    return row;
  }

  private view(actor: Actor, row: FoundUser, query: Pick<ReadUserQuery, 'fields' | 'include'>): UserDto {
    const user = { ...toUserDto(row), ...(row.roles && { roles: toAssignedRoleDtos(actor, row.roles) }) };
    return visible(actor, 'User', row, user, query.fields && [...query.fields, ...(query.include ?? [])]);
  }
}

/** By what a caller can't read, he can't filter. */
function fieldsUsedBy({ status, email, roleId, q }: ListUsersQuery): string[] {
  return [
    ...(status ? ['status'] : []),
    ...(email ? ['email'] : []),
    ...(roleId ? ['roles'] : []),
    ...(q ? ['name', 'email'] : []),
  ];
}

function changeOf(before: UserRow, after: UserRow): AuditAction {
  if (before.status === after.status) return 'user.updated';
  return after.status === 'suspended' ? 'user.suspended' : 'user.resumed';
}
