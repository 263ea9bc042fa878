import { Injectable } from '@nestjs/common';
import type { AccompanyingCheck, Answer } from '../database/accompanying-check';
import { TenantDb } from '../database/tenant-db';
import { PLATFORM_TENANT_ID } from '../common/id';
import type { Permission } from './system-roles';

/** A held role with what it permits. */
export interface LoadedRole {
  id: string;
  name: string;
  systemKey: string | null;
  /** Of a system role they stand in code. */
  permissions: Permission[] | null;
}

/** The answer to the guard's one question. Absent parts mean: no such tenant, no membership in it. */
export interface LoadedActor {
  accountId: string;
  email: string;
  name: string;
  platformRole: string | null;
  tenantStatus: string | null;
  tenantDeleted: boolean;
  membershipId: string | null;
  membershipStatus: string | null;
  roles: LoadedRole[];
}

/** The guard's one question, in one statement: of a session ($1) in a tenant ($2). */
const GUARDS_QUESTION = `
  SELECT s.user_id, s.email, s.name, s.platform_role, t.status, t.deleted_at IS NOT NULL, m.id, m.status, coalesce(held.roles, '[]')
  FROM identity.active_session($1::uuid) s
  LEFT JOIN app.tenants t ON t.id = $2::uuid
  LEFT JOIN app.memberships m ON m.tenant_id = $2::uuid AND m.user_id = s.user_id
  LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('id', r.id, 'name', r.name, 'systemKey', r.system_key, 'permissions', CASE WHEN r.system_key IS NULL THEN (
        SELECT coalesce(json_agg(json_build_object('subject', rp.subject, 'action', rp.action, 'conditions', rp.conditions, 'fields', rp.fields,
          'inverted', rp.inverted) ORDER BY rp.position), '[]')
        FROM app.role_permissions rp WHERE rp.tenant_id = $2::uuid AND rp.role_id = r.id
      ) END) ORDER BY r.id) AS roles
    FROM app.membership_roles mr
    JOIN app.roles r ON r.tenant_id = $2::uuid AND r.id = mr.role_id
    WHERE mr.tenant_id = $2::uuid AND mr.membership_id = m.id AND (mr.expires_at IS NULL OR mr.expires_at > now())
  ) held ON true`;

@Injectable()
export class ActorsRepository {
  constructor(private readonly db: TenantDb) {}

  /** Is this session alive, whose is it, and what may they in this tenant? Undefined: it has ended. */
  ask(sessionId: string, tenantId: string = PLATFORM_TENANT_ID): Promise<Answer> {
    return this.db.ask(tenantId, { text: GUARDS_QUESTION, values: [sessionId, tenantId] });
  }

  /** Has the request answered only if that is so still. @returns undefined when that cannot be promised */
  expect(answer: Answer, sessionId: string, tenantId: string): AccompanyingCheck | undefined {
    return this.db.accompany(tenantId, { text: GUARDS_QUESTION, values: [sessionId, tenantId] }, answer);
  }
}

/** What an answer says. */
export function readAnswer(answer: NonNullable<Answer>): LoadedActor {
  const [
    accountId,
    email,
    name,
    platformRole = null,
    tenantStatus = null,
    deleted,
    membershipId = null,
    membershipStatus = null,
    roles,
  ] = answer;
  return {
    accountId: accountId!,
    email: email!,
    name: name!,
    platformRole,
    tenantStatus,
    tenantDeleted: deleted === 't',
    membershipId,
    membershipStatus,
    roles: JSON.parse(roles!) as LoadedRole[],
  };
}
