import { Injectable } from '@nestjs/common';
import { ForbiddenError, NotFoundError, UnauthenticatedError } from '../common/errors';
import { ADMINISTRATOR_PERMISSIONS, buildAbility } from './ability';
import type { Actor, Caller, Origin } from './actor';
import { ActorsRepository, type LoadedActor, type LoadedRole } from './actors.repository';
import { type Permission, SYSTEM_ROLES, type SystemRoleKey } from './system-roles';

@Injectable()
export class ActorsService {
  constructor(private readonly actors: ActorsRepository) {}

  /**
   * Who asks, with what they may do now.
   * @throws UnauthenticatedError when the session has ended
   * @throws NotFoundError when there is no such tenant, or the person is not in it
   * @throws ForbiddenError when the tenant or the membership is suspended
   */
  async load(sessionId: string, tenantId: string | undefined, origin: Origin): Promise<Caller | Actor> {
    const found = await this.actors.find(sessionId, tenantId);
    if (!found) throw new UnauthenticatedError('session_ended', 'This session has ended. Sign in again.');
    const isPlatformAdministrator = found.platformRole === 'administrator';
    const permissions = [
      ...(isPlatformAdministrator ? ADMINISTRATOR_PERMISSIONS : []),
      ...found.roles.flatMap(permissionsOf),
    ];
    const caller: Caller = {
      accountId: found.accountId,
      sessionId,
      email: found.email,
      name: found.name,
      isPlatformAdministrator,
      ability: buildAbility(permissions, found.membershipId ?? undefined),
      origin,
    };
    if (!tenantId) return caller;
    if (!isPlatformAdministrator) assertMayEnter(found);
    else if (found.tenantStatus === null) throw new NotFoundError('tenant');
    return { ...caller, tenantId, userId: found.membershipId, roles: found.roles };
  }
}

function assertMayEnter(found: LoadedActor): void {
  if (found.membershipId === null || found.tenantDeleted) throw new NotFoundError('tenant');
  if (found.tenantStatus !== 'active') throw new ForbiddenError('tenant_suspended', 'This tenant is suspended.');
  if (found.membershipStatus !== 'active')
    throw new ForbiddenError('membership_suspended', 'Your membership in this tenant is suspended.');
}

/** What a role permits; a system role's permissions stand in code. */
export function permissionsOf(role: Pick<LoadedRole, 'systemKey' | 'permissions'>): readonly Permission[] {
  return role.systemKey ? SYSTEM_ROLES[role.systemKey as SystemRoleKey].permissions : role.permissions;
}
