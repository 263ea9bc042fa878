import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ForbiddenError } from '../common/errors';
import type { Actor, Caller } from './actor';
import { accessDenied } from './access-denied';
import { ACCESS, type RouteAccess } from './can.decorator';

/** May the caller use this route at all? The service asks again with the row, since only a row can meet conditions. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly reflector: Reflector) {}

  canActivate(context: ExecutionContext): boolean {
    const access = this.reflector.get<RouteAccess | undefined>(ACCESS, context.getHandler());
    // RouteAccessCheck refuses such a route at start; should one come through, nobody may use it.
    if (!access) return false;
    if (access.public) return true;
    const { user } = context.switchToHttp().getRequest<{ user: Caller | Actor }>();
    if (user.ability.can(access.action, access.subject)) return true;
    accessDenied.publish({ caller: user, action: access.action, subject: access.subject });
    throw new ForbiddenError('permission_missing', `You lack the permission to ${access.action} ${access.subject}.`);
  }
}
