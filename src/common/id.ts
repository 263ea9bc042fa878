import { v7 } from 'uuid';

/** A new UUIDv7 (RFC 9562, 5.7): its order is the order of creation, so it is kind to indexes. */
export function newId(): string {
  return v7();
}

/** The form in which ids are compared: a caller may write a UUID in upper case (RFC 9562, 4). What is no text stays as it is. */
export function lowerCaseId(id: unknown): unknown {
  return typeof id === 'string' ? id.toLowerCase() : id;
}

/** The tenant under which the platform's own audit events stand. No tenant can have it. */
export const PLATFORM_TENANT_ID = '00000000-0000-0000-0000-000000000000';
