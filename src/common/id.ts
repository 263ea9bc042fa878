import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562, 5.7): its order is the order of creation, so it is kind to indexes. */
export function newId(): string {
  return v7();
}

/** The tenant under which the platform's own audit events stand. No tenant can have it. */
export const PLATFORM_TENANT_ID = '00000000-0000-0000-0000-000000000000';
