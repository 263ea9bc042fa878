import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ForbiddenError } from '../common/errors';
import type { Actor, Caller } from './actor';
import { accessDenied } from './access-denied';
import { ACCESS, type GuardedAccess, type RouteAccess } from './can.decorator';

/** May the caller use this route at all? The service asks again with the row, since only a row can meet conditions. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const access = this.reflector.get<RouteAccess | undefined>(ACCESS, context.getHandler());
    // RouteAccessCheck refuses such a route at start; should one come through, nobody may use it.
    if (!access) return false;
    if (access.public) return true;
    const request = context.switchToHttp().getRequest<RecallableRequest>();
    // Who is refused is refused for what is so now, not for what was so before.
    if (!request.user.ability.can(access.action, access.subject) && request.reload)
      return this.askAgain(request, access);
    assertMayUse(request.user, access);
    return true;
  }

  private async askAgain(request: RecallableRequest, access: GuardedAccess): Promise<boolean> {
    await request.reload!();
    assertMayUse(request.user, access);
    return true;
  }
}

/** A request whose caller may be known from before. */
export interface RecallableRequest {
  user: Caller | Actor;
  /** Asks who calls, and what they may do now; there when `user` is from before. */
  reload?: (() => Promise<void>) | undefined;
}

/** @throws ForbiddenError `permission_missing` */
export function assertMayUse(caller: Caller | Actor, { action, subject }: GuardedAccess): void {
  if (caller.ability.can(action, subject)) return;
  accessDenied.publish({ caller, action, subject });
  throw new ForbiddenError('permission_missing', `You lack the permission to ${action} ${subject}.`);
}
