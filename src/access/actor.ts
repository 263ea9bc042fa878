import type { AppAbility } from './ability';

/** Where a request came from, as the audit trail records it. */
export interface Origin {
  address: string;
  userAgent: string;
  requestId: string;
}

/** A role that somebody holds now. */
export interface HeldRole {
  id: string;
  name: string;
  systemKey: string | null;
}

/** Who asks: a signed-in person. */
export interface Caller {
  accountId: string;
  sessionId: string;
  email: string;
  name: string;
  isPlatformAdministrator: boolean;
  ability: AppAbility;
  origin: Origin;
}

/** Who asks, within the tenant of the route. A platform administrator may act in a tenant without being its user. */
export interface Actor extends Caller {
  tenantId: string;
  /** The person's id in this tenant. */
  userId: string | null;
  roles: readonly HeldRole[];
}
