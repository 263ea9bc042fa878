import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { isUnconditional } from '../access/ability';
import { ConflictError, NotFoundError, PreconditionFailedError } from '../common/errors';
import { newId } from '../common/id';
import { afterCursor, type Order, orderBy, rowsFor, startsWith } from '../common/keyset';
import { normalizeEmail, normalizeName } from '../common/text';
import { asConflict } from '../database/database-errors';
import type { TenantTx } from '../database/tenant-db';
import type { ListUsersQuery } from './user.dto';
import { type AssignedRoleRow, heldRoles } from './user-roles.repository';
import { usersStatement, userStatement, userWithRolesStatement } from './user-statements.repository';

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
/** A user of whom some columns were not asked for. What decides about access is always there. */
export type PartialUserRow = Partial<UserRow> &
  Pick<UserRow, 'id' | 'email' | 'status'> & {
    roles?: AssignedRoleRow[];
  };

const EXISTS = { code: 'user_exists', pointer: '/email', message: 'This person is a user of the tenant already.' };

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
      throw asConflict(error, { memberships_tenant_id_user_id_key: EXISTS, memberships_tenant_id_email_key: EXISTS });
    }
  }

  async find(
    tx: TenantTx,
    id: string,
    accessible: object,
    include?: { roles: boolean; now: Date },
  ): Promise<PartialUserRow | null> {
    if (isUnconditional(accessible)) return include?.roles ? withRoles(tx, id, include.now) : withoutRoles(tx, id);
    return tx.membership.findFirst({
      where: { tenantId: tx.tenantId, id, AND: [accessible] },
      select: { ...userColumns, ...(include?.roles && { roles: heldRoles(tx.tenantId, include.now) }) },
    }) as Promise<PartialUserRow | null>;
  }

  /** @param accessible which users, and by which roles they can be filtered */
  list(
    tx: TenantTx,
    query: ListUsersQuery,
    order: Order,
    accessible: { users: object; roles: object },
    now: Date,
  ): Promise<PartialUserRow[]> {
    const { tenantId } = tx;
    const statement = isUnconditional(accessible.users) ? usersStatement(tenantId, query, order) : undefined;
    if (statement) return tx.$queryRaw<UserRow[]>(statement);
    const { status, email, roleId, q, fields, include, cursor, limit } = query;
    const held = heldRoles(tenantId, now);
    return tx.membership.findMany({
      where: {
        tenantId,
        ...(status && { status }),
        ...(email && { email }),
        ...(roleId && { roles: { some: { roleId, ...held.where, role: { tenantId, AND: [accessible.roles] } } } }),
        AND: [
          accessible.users,
          afterCursor(order, cursor),
          q ? { OR: [{ nameKey: startsWith(normalizeName(q)) }, { email: startsWith(normalizeEmail(q)) }] } : {},
        ],
      },
      orderBy: orderBy(order),
      take: rowsFor(limit),
      select: { ...columnsFor(fields, order), ...(include?.includes('roles') && { roles: held }) },
    }) as unknown as Promise<PartialUserRow[]>;
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

  async delete(tx: TenantTx, id: string): Promise<void> {
    await tx.membership.deleteMany({ where: { tenantId: tx.tenantId, id } });
  }
}

async function withoutRoles(tx: TenantTx, id: string): Promise<UserRow | null> {
  const [row] = await tx.$queryRaw<UserRow[]>(userStatement(tx.tenantId, id));
  return row ?? null;
}

async function withRoles(tx: TenantTx, id: string, now: Date): Promise<PartialUserRow | null> {
  type Row = UserRow & { roles: { expiresAt: string | null; role: AssignedRoleRow['role'] }[] };
  const [row] = await tx.$queryRaw<Row[]>(userWithRolesStatement(tx.tenantId, id, now));
  if (!row) return null;
  const roles = row.roles.map(({ expiresAt, role }) => ({ expiresAt: expiresAt ? new Date(expiresAt) : null, role }));
  return { ...row, roles };
}

function columnsFor(fields: readonly string[] | undefined, order: Order): Prisma.MembershipSelect {
  if (!fields) return userColumns;
  const asked = (field: string): boolean => fields.includes(field);
  return {
    id: true,
    email: true,
    status: true,
    [order.column]: true,
    name: asked('name'),
    version: asked('version'),
    createdAt: asked('createdAt') || order.column === 'createdAt',
    updatedAt: asked('updatedAt'),
  };
}
