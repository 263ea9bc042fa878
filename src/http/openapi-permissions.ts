import type { OpenAPIObject } from '@nestjs/swagger';
import { OWN_PERMISSIONS, PLATFORM_PERMISSIONS } from '../access/permissions';
import { type Operation, routesOf } from './openapi-routes';

type Permission = { action: string; subject: string };

/** What a route demands: undefined for a public one. */
export function permissionOf(operation: Operation): Permission | undefined {
  return (operation as { 'x-permission'?: Permission })['x-permission'];
}

/** A permission in words. */
export function permissionInWords({ action, subject }: Permission): string {
  if (subject in OWN_PERMISSIONS) return 'Everybody who is signed in.';
  if (subject in PLATFORM_PERMISSIONS) return `Platform administrators (\`${action}\` on \`${subject}\`).`;
  return `Needs the permission \`${action}\` on \`${subject}\`.`;
}

/** Says in each operation's description who may call it, and of public ones that no token is needed. */
export function describePermissions(document: OpenAPIObject): void {
  for (const { operation } of routesOf(document)) {
    const permission = permissionOf(operation);
    const who = permission ? permissionInWords(permission) : 'Public: no token is needed.';
    operation.description = [operation.description, who].filter(Boolean).join('\n\n');
    if (!permission) operation.security = [];
  }
}
