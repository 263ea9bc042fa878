import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Origin } from '../access/actor';
import { originOf } from '../access/origin';

/** Where the request came from, on a public route. (A caller brings it along.) */
export const RequestOrigin = createParamDecorator((_: unknown, context: ExecutionContext): Origin =>
  originOf(context.switchToHttp().getRequest()),
);
