import { Injectable } from '@nestjs/common';
import { accessibleWhere, permittedFields } from '../access/ability';
import type { Actor } from '../access/actor';
import { pick } from '../common/pick';
import { fieldsToldBy, orderOf, toPage } from '../common/keyset';
import type { Page } from '../common/page.dto';
import { PlatformDb } from '../database/platform-db';
import { TenantDb } from '../database/tenant-db';
import { AUDIT_SORTS, type AuditEventDto, type ListAuditEventsQuery } from './audit-event.dto';
import { type AuditEventRow, AuditEventsRepository } from './audit-events.repository';

/** The fields that a filter looks at: who may not read them, may not filter by them. */
const FILTERS = {
  action: 'action',
  result: 'result',
  actorUserId: 'actor',
  targetId: 'target',
  from: 'occurredAt',
  to: 'occurredAt',
} as const;

@Injectable()
export class AuditEventsService {
  constructor(
    private readonly tenantDb: TenantDb,
    private readonly platformDb: PlatformDb,
    private readonly events: AuditEventsRepository,
  ) {}

  /** The trail of the actor's tenant, newest first unless sorted otherwise. */
  async list(actor: Actor, query: ListAuditEventsQuery): Promise<Page<AuditEventDto>> {
    const order = orderOf(AUDIT_SORTS, query.sort);
    const usedFields = Object.entries(FILTERS).flatMap(([parameter, field]) =>
      query[parameter as keyof typeof FILTERS] ? [field] : [],
    );
    const accessible = accessibleWhere(actor.ability, 'read', 'AuditEvent', [...fieldsToldBy(order), ...usedFields]);
    const rows = await this.tenantDb.read(actor.tenantId, (tx) => this.events.list(tx, query, order, accessible), {
      staleness: 'allowed',
    });
    return toPage(rows, query.limit, order, (row) =>
      pick(toAuditEventDto(row), permittedFields(actor.ability, 'read', 'AuditEvent', row)),
    );
  }

  /** The platform's own trail: sign-ins, sessions, accounts. */
  async listForPlatform(query: ListAuditEventsQuery): Promise<Page<AuditEventDto>> {
    const order = orderOf(AUDIT_SORTS, query.sort);
    const rows = await this.platformDb.read((tx) => this.events.listForPlatform(tx, query, order));
    return toPage(rows, query.limit, order, (row) => {
      const event = toAuditEventDto(row);
      return { ...event, actor: { ...event.actor, accountId: row.actorAccountId } };
    });
  }
}

function toAuditEventDto(row: AuditEventRow) {
  return {
    id: row.id,
    occurredAt: row.occurredAt.toISOString(),
    action: row.action,
    result: row.result,
    actor: { type: row.actorType, userId: row.actorUserId },
    target: row.targetType && row.targetId ? { type: row.targetType, id: row.targetId } : null,
    before: row.before as object | null,
    after: row.after as object | null,
    address: row.address,
    userAgent: row.userAgent,
    requestId: row.requestId,
  };
}
