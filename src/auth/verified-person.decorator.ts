import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { VerifiedPerson } from './sign-in.service';

/** Who has just proved their password, on the route behind LoginGuard. */
export const CurrentVerifiedPerson = createParamDecorator(
  (_: unknown, context: ExecutionContext): VerifiedPerson =>
    context.switchToHttp().getRequest<{ user: VerifiedPerson }>().user,
);
