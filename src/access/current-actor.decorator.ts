import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Actor, Caller } from './actor';

interface AuthenticatedRequest {
  user: Caller | Actor;
}

const userOf = (context: ExecutionContext): Caller | Actor =>
  context.switchToHttp().getRequest<AuthenticatedRequest>().user;

/** Who asks, on a route below `/v1/tenants/{tenantId}`. */
export const CurrentActor = createParamDecorator((_: unknown, context: ExecutionContext): Actor => {
  const user = userOf(context);
  if (!('tenantId' in user))
    throw new TypeError('CurrentActor belongs on routes with a {tenantId}; use CurrentCaller here');
  return user;
});

/** Who asks, on a route above tenants. */
export const CurrentCaller = createParamDecorator((_: unknown, context: ExecutionContext): Caller => userOf(context));
