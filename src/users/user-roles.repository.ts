import { Injectable } from '@nestjs/common';
import type { Prisma } from '@prisma/client';
import { ConflictError } from '../common/errors';
import type { TenantTx } from '../database/tenant-db';

const permissionColumns = {
  select: { subject: true, action: true, conditions: true, fields: true, inverted: true },
  orderBy: { position: 'asc' },
} satisfies Prisma.Role$permissionsArgs;

const heldRoleColumns = {
  expiresAt: true,
  role: { select: { id: true, name: true, systemKey: true, permissions: permissionColumns } },
} satisfies Prisma.MembershipRoleSelect;

/** Which role is held, and until when. */
export interface AssignedRoleRow {
  expiresAt: Date | null;
  role: { id: string; name: string; systemKey: string | null };
}

/** The same with what the role permits. */
export type HeldRoleRow = Prisma.MembershipRoleGetPayload<{ select: typeof heldRoleColumns }>;

@Injectable()
export class UserRolesRepository {
  /** The roles held at `now`. */
  list(tx: TenantTx, userId: string, now: Date): Promise<HeldRoleRow[]> {
    return tx.membershipRole.findMany({
      where: { tenantId: tx.tenantId, membershipId: userId, OR: [{ expiresAt: null }, { expiresAt: { gt: now } }] },
      select: heldRoleColumns,
      orderBy: { roleId: 'asc' },
    });
  }

  async assign(tx: TenantTx, userId: string, roleId: string, expiresAt: Date | null): Promise<void> {
    const key = { tenantId: tx.tenantId, membershipId: userId, roleId };
    await tx.membershipRole.upsert({
      where: { tenantId_membershipId_roleId: key },
      create: { ...key, expiresAt },
      update: { expiresAt },
      select: { roleId: true },
    });
  }

  async unassign(tx: TenantTx, userId: string, roleIds: readonly string[]): Promise<void> {
    await tx.membershipRole.deleteMany({
      where: { tenantId: tx.tenantId, membershipId: userId, roleId: { in: [...roleIds] } },
    });
  }

  /** Lets changes to who owns the tenant happen one after the other: two owners who leave at once would both see the other. */
  async lockOwners(tx: TenantTx): Promise<void> {
    await tx.$queryRaw`SELECT id FROM app.tenants WHERE id = ${tx.tenantId}::uuid FOR NO KEY UPDATE`;
  }

  /** @throws ConflictError when no active user would hold the owner role for good */
  async assertOwnerRemains(tx: TenantTx): Promise<void> {
    const { tenantId } = tx;
    const owner = await tx.membershipRole.findFirst({
      where: {
        tenantId,
        expiresAt: null,
        role: { tenantId, systemKey: 'owner' },
        membership: { tenantId, status: 'active' },
      },
      select: { membershipId: true },
    });
    if (!owner) {
      throw new ConflictError(
        'last_owner',
        'A tenant keeps at least one active owner without an end. Make somebody else an owner first.',
      );
    }
  }
}
