import { applyDecorators, SetMetadata } from '@nestjs/common';
import { ApiBearerAuth, ApiExtension } from '@nestjs/swagger';
import type { ActionOn, Subject } from './permissions';

export const ACCESS = Symbol('access');

/** What a route demands. */
export type RouteAccess = { public: true } | GuardedAccess;
export interface GuardedAccess {
  public: false;
  action: string;
  subject: Subject;
}

/** The permission that a route demands. It is checked before the route runs, and shown in the OpenAPI document. */
export function Can<S extends Subject>(action: ActionOn<S>, subject: S): MethodDecorator {
  return applyDecorators(
    SetMetadata(ACCESS, { public: false, action, subject } satisfies RouteAccess),
    ApiBearerAuth(),
    ApiExtension('x-permission', { action, subject }),
  );
}

/** Anybody may call this route, signed in or not. It has to be said. */
export function Public(): MethodDecorator {
  return applyDecorators(SetMetadata(ACCESS, { public: true } satisfies RouteAccess), ApiExtension('x-public', true));
}
