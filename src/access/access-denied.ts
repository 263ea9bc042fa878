import { announcement } from '../common/announcement';
import type { Actor, Caller } from './actor';

/** A refusal, told to whoever listens: the audit trail, the metrics. */
export interface AccessDenied {
  caller: Caller | Actor;
  action: string;
  subject: string;
  targetId?: string | undefined;
}

export const accessDenied = announcement<AccessDenied>('tenantry:access.denied');
