import { Injectable } from '@nestjs/common';
import type { Actor, Caller, Origin } from '../access/actor';
import { Clock } from '../common/clock';
import { newId, PLATFORM_TENANT_ID } from '../common/id';
import type { PlatformTx } from '../database/platform-db';
import type { TenantTx } from '../database/tenant-db';
import type { AuditAction } from './audit-actions';
import { AuditEventsRepository, type NewAuditEvent, type Recording } from './audit-events.repository';

/** What happened. `before` and `after` are whitelisted values, as the API shows them: never a row, never a secret. */
export interface AuditEntry {
  action: AuditAction;
  result?: 'success' | 'denied' | 'failure';
  target?: { type: string; id: string };
  before?: object;
  after?: object;
}

/** Who did it when nobody is signed in: Tenantry itself, a stranger at the door, or a person who has just proved who they are. */
export interface Unidentified {
  type: 'system' | 'anonymous' | 'user';
  accountId?: string | undefined;
  origin?: Origin | undefined;
}

/** Writes the audit trail, in the transaction of the change that it tells of: with its COMMIT, in the same round trip. */
@Injectable()
export class AuditLog {
  constructor(
    private readonly events: AuditEventsRepository,
    private readonly clock: Clock,
  ) {}

  /** Records what happened in the tenant of `tx`. */
  record(tx: TenantTx, who: Actor | Caller | Unidentified, entry: AuditEntry): Promise<void> {
    this.events.insert(tx, this.rowOf(tx.tenantId, who, entry));
    return Promise.resolve();
  }

  /** Records what happened above tenants: sign-ins, sessions, accounts. */
  recordForPlatform(tx: PlatformTx, who: Caller | Unidentified, entry: AuditEntry): Promise<void> {
    this.events.insert(tx, this.platformEvent(who, entry));
    return Promise.resolve();
  }

  /** The same as a statement, for a write that takes one round trip (TenantDb.write). */
  recording(tenantId: string, who: Actor | Caller | Unidentified, entry: AuditEntry): Recording {
    const event = this.rowOf(tenantId, who, entry);
    return (condition) => this.events.insertion(event, condition);
  }

  recordingForPlatform(who: Caller | Unidentified, entry: AuditEntry): Recording {
    return this.recording(PLATFORM_TENANT_ID, who, entry);
  }

  /** The same for who writes it without Prisma. */
  platformEvent(who: Caller | Unidentified, entry: AuditEntry): NewAuditEvent {
    return this.rowOf(PLATFORM_TENANT_ID, who, entry);
  }

  private rowOf(tenantId: string, who: Actor | Caller | Unidentified, entry: AuditEntry): NewAuditEvent {
    return {
      tenantId,
      id: newId(),
      occurredAt: this.clock.now(),
      action: entry.action,
      result: entry.result ?? 'success',
      actorType: actorTypeOf(who),
      actorAccountId: who.accountId ?? null,
      actorUserId: 'userId' in who ? who.userId : null,
      targetType: entry.target?.type ?? null,
      targetId: entry.target?.id ?? null,
      before: entry.before,
      after: entry.after,
      address: who.origin?.address ?? null,
      userAgent: who.origin?.userAgent ?? null,
      requestId: who.origin?.requestId ?? null,
    };
  }
}

/** A platform administrator who is also a user of the tenant acts as its user. */
function actorTypeOf(who: Actor | Caller | Unidentified): string {
  if ('type' in who) return who.type;
  return who.isPlatformAdministrator && !('userId' in who && who.userId) ? 'platform' : 'user';
}
