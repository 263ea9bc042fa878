import type { AuditAction } from '../../audit/audit-actions';
import { AuditEventsRepository, type NewAuditEvent } from '../../audit/audit-events.repository';
import { AuditLog } from '../../audit/audit-log';
import { Clock } from '../../common/clock';
import { newId, PLATFORM_TENANT_ID } from '../../common/id';
import type { WriterTx } from '../../database/tenant-writer';
import type { Requester, RestoreRequest } from './tenant-restore';

/** `before` and `after` become JSON by themselves. */
const COLUMNS = {
  tenantId: 'tenant_id',
  id: 'id',
  occurredAt: 'occurred_at',
  action: 'action',
  result: 'result',
  actorType: 'actor_type',
  actorAccountId: 'actor_account_id',
  actorUserId: 'actor_user_id',
  targetType: 'target_type',
  targetId: 'target_id',
  before: 'before',
  after: 'after',
  address: 'address',
  userAgent: 'user_agent',
  requestId: 'request_id',
} as const satisfies Record<keyof NewAuditEvent, string>;
const NAMES = Object.keys(COLUMNS) as (keyof NewAuditEvent)[];

const auditLog = new AuditLog(new AuditEventsRepository(), new Clock());

/** Records that a restore was asked for, in the platform's trail. @param tx of the platform itself */
export async function recordRequest(
  tx: WriterTx,
  { requester, tenantId, at, mode }: RestoreRequest,
  id: string,
): Promise<void> {
  const after = { restoreId: id, moment: at.toISOString(), mode };
  const target = { type: 'Tenant', id: tenantId };
  await insert(tx, auditLog.platformEvent(requester, { action: 'tenant.restore_requested', target, after }));
}

/** Records, in the transaction of the change, what was done to the tenant: in its own trail and in the platform's. */
export async function recordRestore(
  tx: WriterTx,
  requester: Requester,
  action: Extract<AuditAction, 'tenant.data_restored' | 'tenant.restore_undone' | 'tenant.imported'>,
  after: object,
): Promise<void> {
  const { tenantId } = tx;
  const event = auditLog.platformEvent(requester, { action, target: { type: 'Tenant', id: tenantId }, after });
  await insert(tx, { ...event, tenantId, id: newId() });
  await tx.actFor(PLATFORM_TENANT_ID);
  await insert(tx, event);
  await tx.actFor(tenantId);
}

async function insert({ query }: WriterTx, event: NewAuditEvent): Promise<void> {
  await query(
    `INSERT INTO audit.events (${NAMES.map((name) => COLUMNS[name]).join(', ')})
     VALUES (${NAMES.map((_, place) => `$${place + 1}`).join(', ')})`,
    NAMES.map((name) => event[name]),
  );
}
