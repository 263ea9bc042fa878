import { Injectable } from '@nestjs/common';
import { Prisma } from '@prisma/client';
import { recordedChange, type Recording } from '../audit/audit-events.repository';
import { ConflictError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { newId } from '../common/id';
import { normalizeName } from '../common/text';
import { asConflict } from '../database/database-errors';
import type { TenantDb, TenantTx } from '../database/tenant-db';
import { type UsersQuestion, usersStatement } from './user-list-statements.repository';
import type { AssignedRoleRow, HeldRoleRow } from './user-roles.repository';
import { userStatement } from './user-statements.repository';

const userColumns = {
  id: true,
  email: true,
  name: true,
  nameKey: true,
  status: true,
  version: true,
  createdAt: true,
  updatedAt: true,
} satisfies Prisma.MembershipSelect;

export type UserRow = Prisma.MembershipGetPayload<{ select: typeof userColumns }>;
/** A user with the roles that were asked for. */
export type FoundUser<Role extends AssignedRoleRow = AssignedRoleRow> = UserRow & { roles?: Role[] };

const EXISTS = { code: 'user_exists', pointer: '/email', message: 'This person is a user of the tenant already.' };
const CONFLICTS = { memberships_tenant_id_user_id_key: EXISTS, memberships_tenant_id_email_key: EXISTS };

/** Somebody who is a user from now on. */
export function newUserRow({ email, name }: { email: string; name: string }, now: Date): UserRow {
  const nameKey = normalizeName(name);
  return { id: newId(), email, name, nameKey, status: 'active', version: 1, createdAt: now, updatedAt: now };
}

/** A user under another name. */
export function renamedUserRow(before: UserRow, name: string, now: Date): UserRow {
  return { ...before, name, nameKey: normalizeName(name), version: before.version + 1, updatedAt: now };
}

@Injectable()
export class UsersRepository {
  /**
   * The person's account, made if there is none.
   * @param passwordHash for a new account only
   * @throws ConflictError when a password was given and the person has an account
   */
  async ensureAccount(
    tx: TenantTx,
    person: { email: string; name: string; passwordHash?: string | undefined; pointer: string },
  ): Promise<string> {
    const [account] = await tx.$queryRaw<{ user_id: string; created: boolean }[]>`
      SELECT user_id, created FROM identity.ensure_user(${newId()}::uuid, ${person.email}, ${person.name}, ${person.passwordHash ?? null})`;
    if (person.passwordHash && !account!.created) {
      const message = 'This person has an account already and keeps its password. Leave the password out.';
      throw new ConflictError('account_exists', message, [
        { pointer: person.pointer, code: 'account_exists', message },
      ]);
    }
    return account!.user_id;
  }

  async create(tx: TenantTx, user: { accountId: string; email: string; name: string }): Promise<UserRow> {
    try {
      return await tx.membership.create({
        data: {
          tenantId: tx.tenantId,
          id: newId(),
          userId: user.accountId,
          email: user.email,
          name: user.name,
          nameKey: normalizeName(user.name),
        },
        select: userColumns,
      });
    } catch (error) {
      throw asConflict(error, CONFLICTS);
    }
  }

  /**
   * Adds a person to the tenant, with an account if there is none, in one round trip.
   * @throws ConflictError when the person is a user of the tenant already
   */
  async add(db: TenantDb, tenantId: string, user: UserRow, recording: Recording): Promise<void> {
    const { id, email, name, nameKey, status, version, createdAt, updatedAt } = user;
    try {
      await db.write(tenantId, [
        Prisma.sql`
          INSERT INTO app.memberships (tenant_id, id, user_id, email, name, name_key, status, version, created_at, updated_at)
          SELECT ${tenantId}, ${id}, account.user_id, ${email}, ${name}, ${nameKey}, ${status}, ${version}, ${createdAt}, ${updatedAt}
          FROM identity.ensure_user(${newId()}, ${email}, ${name}) account`,
        recording(),
      ]);
    } catch (error) {
      throw asConflict(error, CONFLICTS);
    }
  }

  /** @param rolesAt the roles that are held then come with it */
  async find(tx: TenantTx, id: string, accessible: object, rolesAt?: Date): Promise<FoundUser | null> {
    const include = rolesAt && ({ roles: 'named', now: rolesAt } as const);
    const [row] = await tx.$queryRaw<RawUser[]>(userStatement(tx.tenantId, id, accessible, include));
    return row ? toUser(row) : null;
  }

  /** The same with what the roles permit: all that the user may do, in one statement. */
  async findWithPermissions(
    tx: TenantTx,
    id: string,
    accessible: object,
    now: Date,
  ): Promise<Required<FoundUser<HeldRoleRow>> | null> {
    const include = { roles: 'with permissions', now } as const;
    const [row] = await tx.$queryRaw<RawUser<HeldRoleRow>[]>(userStatement(tx.tenantId, id, accessible, include));
    return row ? { roles: [], ...toUser(row) } : null;
  }

  /** One page, and one row more when there is a next one. */
  async list(tx: TenantTx, question: Omit<UsersQuestion, 'tenantId'>): Promise<FoundUser[]> {
    const rows = await tx.$queryRaw<RawUser[]>(usersStatement({ tenantId: tx.tenantId, ...question }));
    return rows.map(toUser);
  }

  /**
   * @throws NotFoundError when the user has gone
   * @throws PreconditionFailedError when its version is not `version` any more
   */
  async update(
    tx: TenantTx,
    id: string,
    version: number,
    change: { name?: string | undefined; status?: string | undefined },
    now: Date,
  ): Promise<UserRow> {
    const { tenantId } = tx;
    const { count } = await tx.membership.updateMany({
      where: { tenantId, id, version },
      data: {
        ...(change.name !== undefined && { name: change.name, nameKey: normalizeName(change.name) }),
        ...(change.status !== undefined && { status: change.status }),
        version: { increment: 1 },
        updatedAt: now,
      },
    });
    const row = await tx.membership.findUnique({ where: { tenantId_id: { tenantId, id } }, select: userColumns });
    if (!row) throw new NotFoundError('user');
    if (count === 0) throw new PreconditionFailedError();
    return row;
  }

  /**
   * Renames a user who is as `before` still, in one round trip.
   * @throws NotFoundError when the user has gone
   * @throws PreconditionFailedError when its version is another one
   */
  async rename(db: TenantDb, tenantId: string, before: UserRow, after: UserRow, recording: Recording): Promise<void> {
    const { id, name, nameKey, version, updatedAt } = after;
    const renaming = Prisma.sql`
      UPDATE app.memberships SET name = ${name}, name_key = ${nameKey}, version = ${version}, updated_at = ${updatedAt}
      WHERE tenant_id = ${tenantId} AND id = ${id} AND version = ${before.version}
      RETURNING id`;
    const [renamed] = await db.write(tenantId, [recordedChange(renaming, recording)]);
    if (renamed!.length === 1) return;
    const now = await db.read(tenantId, (tx) => this.find(tx, id, {}));
    throw now ? new PreconditionFailedError() : new NotFoundError('user');
  }

  async delete(tx: TenantTx, id: string): Promise<void> {
    await tx.membership.deleteMany({ where: { tenantId: tx.tenantId, id } });
  }
}

/** As PostgreSQL gives it: in JSON a moment is text. */
type RawUser<Role extends AssignedRoleRow = AssignedRoleRow> = UserRow & {
  roles?: (Omit<Role, 'expiresAt'> & { expiresAt: string | null })[];
};

function toUser<Role extends AssignedRoleRow>(row: RawUser<Role>): FoundUser<Role> {
  const roles = row.roles?.map((role) => ({
    ...role,
    expiresAt: role.expiresAt === null ? null : new Date(role.expiresAt),
  }));
  return (roles ? { ...row, roles } : row) as unknown as FoundUser<Role>;
}
